"""Quiet periods: every fault is cut where nothing may be in force, and goes on afterwards.

Each part is an injection of its own, with its own proof and its own recovery: one run measures
several of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from chaoskit.faults import Fault
from chaoskit.fields import Duration

_EXACT = 1e-9  # shares of a period that rounding may lose


class Quiet(Protocol):
    """When nothing is in force: for `for_` seconds, `every` so many."""

    @property
    def every(self) -> Duration: ...

    @property
    def for_(self) -> Duration: ...


def with_quiet(faults: Sequence[Fault], quiet: Quiet, hold: float) -> list[Fault]:
    """Return the parts of all faults; what a quiet period falls on starts after it.

    A fault without `for` lasts until `hold` seconds after the last other one. One that starts when
    something is observed is left as it is: loading refuses it.
    """
    last = end_of(faults, hold)
    return [part for fault in faults for part in parts_of(fault, quiet, last)]


def end_of(faults: Sequence[Fault], hold: float) -> float:
    """Return when all faults are over, in seconds of the faults phase."""
    ends = [float(fault.at or 0.0) + float(fault.for_ or 0.0) for fault in faults]
    lasting = any(fault.for_ is None and not fault.instant for fault in faults)
    return max(ends, default=0.0) + (hold if lasting else 0.0)


def parts_of(fault: Fault, quiet: Quiet, last: float) -> Iterator[Fault]:
    """Yield the parts of one fault, which ends at `last` if it does not say when."""
    at = float(fault.at or 0.0)
    if fault.when is not None or fault.after is not None:
        yield fault
    elif fault.instant:
        yield fault.model_copy(update={"at": Duration(_free(at, quiet))})
    else:
        end = at + float(fault.for_) if fault.for_ is not None else last
        previous = None
        for number, (start, stop) in enumerate(stretches(at, end, quiet), 1):
            part = fault.part(number, start, stop - start, previous)
            previous = part.name
            yield part


def stretches(start: float, end: float, quiet: Quiet) -> Iterator[tuple[float, float]]:
    """Yield from when to when something from `start` to `end` is in force."""
    start = _free(start, quiet)
    while start < end:
        next_quiet = (int(start / quiet.every + _EXACT) + 1) * quiet.every
        yield start, min(end, next_quiet)
        start = next_quiet + quiet.for_


def _free(at: float, quiet: Quiet) -> float:
    """Return the same time, or the end of the quiet period that it falls into."""
    number = int(at / quiet.every + _EXACT)
    ends = number * quiet.every + quiet.for_
    return ends if number and at < ends else at
