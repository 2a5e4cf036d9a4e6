"""Whether anybody felt a fault: a probe, a workload, or a client of the edge that it acts on.

A fault may be proven, by what was read back and by a canary, and still have changed nothing that
anybody looked at. That is no defect, but the reader of a pass has to know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chaoskit.checks._health import calm
from chaoskit.checks._schedule import operations
from chaoskit.numeric import percentile
from chaoskit.records import Evidence, FaultWindow, Sample

_SLOWER = 2.0  # times the slowest answer without a fault
_NOISE = 0.01  # seconds that an answer may be late without meaning anything


def unfelt(evidence: Evidence) -> dict[str, str]:
    """Return, by the id of each fault during which nothing changed, the sentence that says so."""
    watched: dict[tuple[str, str], list[Sample]] = {}
    for name, samples in evidence.samples.items():
        watched["probe", name] = list(samples)
    for name in evidence.history:
        for one in operations(evidence, name):
            watched.setdefault((name, one.probe), []).append(one)
    before = {name: calm(samples, evidence) for name, samples in watched.items()}
    found = {}
    for fault in evidence.faults:
        changed = any(
            _changed(_meanwhile(fault, samples, evidence.faults), before[name])
            for name, samples in watched.items()
        )
        if not changed:
            found[fault.id] = (
                f"no probe or operation changed while `{fault.id}` ({fault.fault} {fault.target}) "
                "was in force"
            ) + "".join(f"; nobody was connected to `{name}`" for name in fault.unused)
    return found


def _meanwhile(
    fault: FaultWindow, samples: Iterable[Sample], faults: Sequence[FaultWindow]
) -> list[Sample]:
    """Return the samples that the fault can have changed: what only sets something off counts
    until the next one is injected."""
    healed = fault.healed
    if not fault.must_be_seen:
        later = [one.injected for one in faults if one.injected > fault.injected]
        healed = min(later, default=None)
    window = FaultWindow(fault.id, fault.fault, fault.target, fault.injected, healed)
    return [sample for sample in samples if window.meets(sample.sent, sample.done)]


def _changed(during: Sequence[Sample], before: Sequence[Sample]) -> bool:
    """Return whether samples fail more often, or are slower, than they were without a fault."""
    if not during:
        return False
    bad, bad_before = _share(during), _share(before)
    if bad > 2 * bad_before:
        return True
    usual = sorted(sample.latency for sample in before if sample.outcome == "ok")
    now = sorted(sample.latency for sample in during if sample.outcome == "ok")
    if not usual or not now:
        return not usual and bool(before or bad)
    slow = max(_SLOWER * usual[-1], usual[-1] + _NOISE)
    return now[-1] > slow or percentile(now, 50) > max(percentile(usual, 95) + _NOISE, 0.0)


def _share(samples: Sequence[Sample]) -> float:
    """Return the share of samples that are not good."""
    return sum(s.outcome != "ok" for s in samples) / len(samples) if samples else 0.0
