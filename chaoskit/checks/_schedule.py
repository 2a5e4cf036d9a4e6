"""Operations by the time they were due: as samples, and how many of them were sent at all.

A client that waits for an answer does not send what is due meanwhile. Judged from when it was sent,
a system that hangs for seconds then looks as if one operation had been slow (Gil Tene's
"coordinated omission").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from chaoskit.checks.histories.operations import pairs
from chaoskit.records import Evidence, Outcome, Sample

ENOUGH = 0.8  # of what was due has to be sent, or of a probe's samples to be there
NEVER = inf  # when an operation was sent that was due and waited until the run stopped


class Sent(NamedTuple):
    """How many operations of one kind were sent, of those that were due."""

    sent: int
    due: int

    @property
    def enough(self) -> bool:
        """Whether a pass may rest on them; the last may have been due when the run stopped."""
        return self.sent >= ENOUGH * self.due or self.due - self.sent < 2


def operations(
    evidence: Evidence,
    workload: str,
    op: str | None = None,
    window: tuple[float, float] = (-inf, inf),
) -> list[Sample]:
    """Return a workload's operations, or those of one kind, due in the window, as samples.

    One without a completion lasts until the history ends, one that was never sent until the run
    stopped; it may have had to wait longer.
    """
    events = evidence.history.get(workload, ())
    end_of_history = events[-1].t if events else 0.0
    ops = {event.op for event in events} if op is None else {op}
    found = []
    for begin, end in pairs(events, ops):
        done = end_of_history if end is None else end.t
        outcome: Outcome = "info"
        error: str | None = "no answer before the end of the history"
        if end is not None:
            error = end.error
            outcome = "ok" if end.type == "ok" else "fail" if end.type == "fail" else "info"
        due = begin.t if begin.due is None else begin.due
        found.append(Sample(begin.op, due, begin.t, done, outcome, error, trace=begin.trace))
    schedule = evidence.schedules.get(workload)
    if schedule is not None:
        why = "never sent, every client was busy"
        found += [
            Sample(one.op, due, NEVER, schedule.end, "info", why)
            for one in schedule.omitted
            if op is None or one.op == op
            for due in one.dues()
        ]
    start, stop = window
    return sorted((one for one in found if start <= one.due <= stop), key=lambda one: one.due)


def sent_of_due(
    evidence: Evidence,
    workload: str,
    op: str | None = None,
    window: tuple[float, float] = (-inf, inf),
) -> Mapping[str, Sent]:
    """Return how many operations were sent of those that were due in the window, by kind.

    Only what was on the schedule counts: not the reads before and after it, and not what came by
    itself. Empty where the schedule is not known.
    """
    schedule = evidence.schedules.get(workload)
    if schedule is None:
        return {}
    start, end = window
    sent = Counter(
        event.op
        for event in evidence.history.get(workload, ())
        if event.due is not None and start <= event.due <= end and schedule.covers(event.due)
    )
    due = sent.copy()
    for one in schedule.omitted:
        due[one.op] += sum(start <= moment <= end for moment in one.dues())
    return {kind: Sent(sent[kind], due[kind]) for kind in due if op is None or kind == op}


def too_few_sent(workload: str, by_kind: Mapping[str, Sent]) -> str | None:
    """Return why a workload proves nothing: too little was sent of what was due; None if not."""
    for op, sent in by_kind.items():
        if not sent.enough:
            return (
                f"only {sent.sent} of the {sent.due} operations `{op}` of workload `{workload}` "
                "that were due were sent: every client was busy; raise `clients`, or see why the "
                "answers take so long"
            )
    return None
