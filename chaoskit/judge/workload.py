"""What the result says of a workload: how its operations ended, and when they were sent."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

from chaoskit.checks._schedule import sent_of_due
from chaoskit.judge.result import OperationCount, WorkloadResult
from chaoskit.numeric import percentile
from chaoskit.records import Event, Evidence, Schedule


def workload_result(name: str, kind: str, evidence: Evidence) -> WorkloadResult:
    """Return the numbers of a workload over the whole run."""
    events = evidence.history.get(name, ())
    ended: dict[str, Counter[str]] = {}
    for event in events:
        ended.setdefault(event.op, Counter())[event.type] += 1
    sent = sent_of_due(evidence, name)
    operations = {}
    for op in [*ended, *(sent.keys() - ended.keys())]:
        how = ended.get(op, Counter())
        told = sent.get(op)
        operations[op] = OperationCount(
            ok=how["ok"],
            fail=how["fail"],
            info=how["info"],
            sent=None if told is None else told.sent,
            due=None if told is None else told.due,
        )
    result = WorkloadResult(name=name, kind=kind, operations=operations)
    schedule = evidence.schedules.get(name)
    if schedule is None:
        return result
    return result.model_copy(update=_figures(events, schedule))


def _figures(events: Sequence[Event], schedule: Schedule) -> dict[str, float | None]:
    """Return the figures of the operations on the schedule, whatever their outcome."""
    late, from_due, from_sent = array("d"), array("d"), array("d")
    pending: dict[int, Event] = {}
    for event in events:
        if event.type != "invoke":
            begin = pending.pop(event.id, None)
            if begin is not None and begin.due is not None:
                from_due.append(event.t - begin.due)
                from_sent.append(event.t - begin.t)
        elif event.due is not None and schedule.covers(event.due):
            pending[event.id] = event
            late.append(event.t - event.due)
    for one in schedule.omitted:
        from_due.extend(schedule.end - due for due in one.dues())
    waited = sorted(from_due)
    return {
        "lateness_p99": rounded_percentile(sorted(late), 99),
        "latency_p50": rounded_percentile(waited, 50),
        "latency_p99": rounded_percentile(waited, 99),
        "latency_p99_from_sent": rounded_percentile(sorted(from_sent), 99),
    }


def rounded_percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return a percentile of sorted values as results hold it, None where there are none."""
    return round(percentile(ordered, percent), 6) if ordered else None
