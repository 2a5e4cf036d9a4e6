"""How long a scenario takes by its plan: for bars that fill, and for shares of a suite."""

from __future__ import annotations

from collections.abc import Iterable

from chaoskit.faults import Fault
from chaoskit.scenario.document import Timeline

ORDER = ("baseline", "faults", "heal", "settle")


def planned(timeline: Timeline, faults: Iterable[Fault]) -> dict[str, float]:
    """Return how many seconds each phase of `ORDER` is planned to take with these faults.

    A start that something observed decides counts as at once.
    """
    by_name = {fault.name: fault for fault in faults}
    lasting = any(f.for_ is None and not f.instant for f in by_name.values())
    hold = float(timeline.hold) if lasting else 0.0
    return {
        "baseline": float(timeline.baseline),
        "faults": max((_end(f, by_name) for f in by_name.values()), default=0.0) + hold,
        "heal": 0.0,
        "settle": float(timeline.settle),
    }


def _end(fault: Fault, by_name: dict[str, Fault], depth: int = 0) -> float:
    """Return when a fault ends in the faults phase."""
    return _start(fault, by_name, depth) + float(fault.for_ or 0.0)


def _start(fault: Fault, by_name: dict[str, Fault], depth: int) -> float:
    after = fault.after
    other = by_name.get(after.fault) if after is not None and depth < 50 else None
    if after is None or other is None:
        return float(fault.at or 0.0)
    moment = _start if after.injected else _end
    return moment(other, by_name, depth + 1) + float(after.delay)
