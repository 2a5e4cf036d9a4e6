"""Whether the steady state still held when a fault was injected: the gate was a while ago."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chaoskit.checks._health import Stretch, stretches
from chaoskit.records import FaultWindow, Sample
from chaoskit.text import aside, moment


def lost_before(
    faults: Sequence[FaultWindow],
    samples: Mapping[str, Sequence[Sample]],
    asked: Mapping[str, str],
) -> list[str]:
    """Return each probe that was failing at an injection, and not because of another fault; `asked`
    is what each asks for.

    What such a probe shows afterwards, or what the stack does without the thing that it watches,
    says nothing about the fault.
    """
    found = []
    for probe, mine in samples.items():
        bad = [stretch for stretch in stretches(mine) if not stretch.healthy]
        for stretch in bad:
            fault = _met(stretch, faults)
            if fault is not None:
                since = stretch.samples[0]
                found.append(
                    f"the steady state was lost before fault `{fault.id}`: probe `{probe}` was "
                    f"failing since {moment(since.done)}{aside(since.error, asked.get(probe))}"
                )
                break
    return found


def _met(stretch: Stretch, faults: Sequence[FaultWindow]) -> FaultWindow | None:
    """Return the fault that was injected into a failing stretch that began without any fault."""
    begun, ended = stretch.samples[0], stretch.samples[-1]
    if any(fault.meets(begun.due, begun.done) for fault in faults):
        return None
    for fault in faults:
        # Its last sample before the injection was done and bad, and so was the next one.
        if begun.done < fault.injected <= ended.done:
            return fault
    return None
