"""Whether everything that was acknowledged is still there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, fault_at, unknown, window
from chaoskit.checks._set_history import Lost, SetHistory, gap, set_history
from chaoskit.checks._text import above, count, length, moment, percent
from chaoskit.checks._witness import capped, named
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, FaultWindow, Finding, Verdict

ENDS_PROCESSES = ("kill", "crash", "stop", "restart", "recreate")


@check("no_loss")
class NoLoss(WorkloadCheck):
    """No acknowledged value is lost, or at most this share of them.

    A value is lost when its add was acknowledged and the last final read of a view (`read` through
    the app, `truth` straight from the store) does not hold it. An add without a clear answer may be
    there or not. `during` picks adds by when they were acknowledged.
    """

    example: ClassVar[str] = "{ check: no_loss, workload: members }"
    workloads: ClassVar[tuple[str, ...]] = ("set",)

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} lost" if self.at_most else "none lost"
        events = evidence.history.get(self.workload)
        if not events:
            return unknown(bound, f"workload `{self.workload}` has no history")
        history = set_history(events)
        start, end = 0.0, float("inf")
        if self.during != "all":
            span = window(self, evidence)
            if isinstance(span, str):
                return unknown(bound, span)
            start, end = span
        acknowledged = sum(start <= t <= end for _, t in history.adds.spans("ok"))
        lost = [one for one in history.lost() if start <= one.add.ended <= end]
        problem = gap(history, self.workload, evidence.faults)
        if not acknowledged:
            none = f"no add of workload `{self.workload}` was acknowledged in this window"
            return unknown(bound, problem or none)
        measured = f"{len(lost)} lost"
        measured += f", {percent(len(lost), acknowledged, self.at_most)}" if lost else ""
        measured += f" (of {acknowledged})"
        if above(len(lost) / acknowledged, self.at_most):
            reason = self._sentence(lost, acknowledged, evidence.faults)
            witness = capped([_line(one, evidence) for one in lost])
            return Finding(Verdict.FAIL, measured, bound, reason, witness, lost[0].add.ended)
        if problem is not None:
            return Finding(Verdict.UNKNOWN, measured, bound, problem)
        return Finding(Verdict.PASS, measured, bound, notes=_notes(history, evidence.faults))

    def _sentence(
        self, lost: Sequence[Lost], acknowledged: int, faults: Sequence[FaultWindow]
    ) -> str:
        inside = sum(any(fault.covers(one.add.ended) for fault in faults) for one in lost)
        share = percent(len(lost), acknowledged, self.at_most)
        oldest = lost[0].add.ended
        text = (
            f"{len(lost)} of {count(acknowledged, 'acknowledged value')} of workload "
            f"`{self.workload}` {'is' if len(lost) == 1 else 'are'} lost ({share}): "
            f"oldest acknowledged at {moment(oldest)}{_beside(oldest, faults)}"
        )
        if faults:
            text += f"; {inside} inside fault windows, {len(lost) - inside} outside"
        views = {view for one in lost for view in one.absent}
        other = set.intersection(*(set(one.present) for one in lost))
        if views == {"read"} and "truth" in other:
            text += "; all of them are still in the store (`truth`), the app does not show them"
        return text


def _beside(t: float, faults: Sequence[FaultWindow]) -> str:
    """Say where `t` lies beside the fault it falls in, or else beside the next or the last one."""
    for fault in faults:
        if fault.covers(t):
            if fault.healed is None:
                return f", during {named(fault)}, which was never healed"
            return f", {length(fault.healed - t)} before {named(fault)} healed"
    later = [fault for fault in faults if fault.injected > t]
    if later:
        fault = min(later, key=lambda fault: fault.injected)
        return f", {length(fault.injected - t)} before {named(fault)} was injected"
    healed = [(fault.healed, fault) for fault in faults if fault.healed is not None]
    if healed:
        at, fault = max(healed, key=lambda pair: pair[0])
        return f", {length(t - at)} after {named(fault)} healed"
    return ""


def _line(lost: Lost, evidence: Evidence) -> str:
    absent = ", ".join(f"{k} of {n} final reads of {view}" for view, (k, n) in lost.absent.items())
    present = f", present in {' and '.join(lost.present)}" if lost.present else ""
    t = lost.add.ended
    when = f"acknowledged at {moment(t)}, {fault_at(evidence, t)}"
    return f"LOST {lost.add.element}: {when}, absent from {absent}{present}"


def _notes(history: SetHistory, faults: Sequence[FaultWindow]) -> tuple[str, ...]:
    notes = []
    stored, unanswered = history.unanswered()
    if unanswered:
        adds = count(unanswered, "add")
        notes.append(
            f"{adds} had no clear answer; {stored} of them {_are(stored)} stored, both is allowed"
        )
    kinds = sorted({fault.fault for fault in faults if fault.fault in ENDS_PROCESSES})
    if kinds:
        which = " and ".join(f"`{kind}`" for kind in kinds)
        notes.append(
            f"{which} {'ends' if len(kinds) == 1 else 'end'} processes, not the machine: "
            "this says nothing about what a power cut would lose (fsync)"
        )
    return tuple(notes)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
