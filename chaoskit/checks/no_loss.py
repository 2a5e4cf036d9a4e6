"""Whether everything that was acknowledged is still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment, percent
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.queue import DELIVERING, is_queue, queue_history
from chaoskit.checks.histories.set import NEED, Lost, set_history
from chaoskit.fields import Percentage
from chaoskit.records import Event, Evidence, FaultWindow, Finding

ENDS_PROCESSES = ("kill", "crash", "stop", "restart", "recreate")
QUEUE = Need(writes=("send",), reads=DELIVERING)


@dataclass(frozen=True, slots=True)
class _Loss:
    """What is lost of what was acknowledged in the window, and what to say besides."""

    found: Sequence[Anomaly]
    acknowledged: int
    problem: str | None
    notes: Sequence[str]
    tail: str = ""


@check("no_loss")
class NoLoss(WorkloadCheck):
    """No acknowledged value is lost, or at most this share of them.

    A value of a `set` is lost when its add was acknowledged and the last final read of a view
    (`read` through the app, `truth` straight from the store) does not hold it. A message of a
    `queue` is lost when its send was acknowledged and nobody received it, although the queue was
    emptied. A write without a clear answer may be there or not. `during` picks writes by when they
    were acknowledged.
    """

    example: ClassVar[str] = "{ check: no_loss, workload: members }"
    workloads: ClassVar[tuple[str, ...]] = ("set", "queue")
    formal: ClassVar[str] = "lost update / durability"
    cannot_tell: ClassVar[str] = (
        "What a power cut would lose: killing a process leaves what it wrote to the kernel. And "
        "whether a lost value was there for a while."
    )
    remedy: ClassVar[str] = (
        "Give the final reads time to succeed (`settle`), or drain the queue to its end."
    )

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} lost" if self.at_most else "none lost"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        lost = (self._queue if is_queue(events) else self._set)(events, window, evidence)
        if not lost.acknowledged:
            none = f"nothing of workload `{self.workload}` was acknowledged in this window"
            return unknown(bound, lost.problem or none)
        many, of = len(lost.found), lost.acknowledged
        share = percent(many, of, self.at_most)
        told = Wording(
            noun="lost value",
            of=of,
            sentence=(
                f"{many} of {count(of, 'acknowledged value')} of workload `{self.workload}` "
                f"{'is' if many == 1 else 'are'} lost ({share})"
            ),
            formal=self.formal,
            first="oldest acknowledged",
            last="newest",
            tail=lost.tail,
        )
        measured = f"{many} lost{f', {share}' if many else ''} (of {of})"
        return finding(
            evidence,
            lost.found,
            told,
            bound,
            lost.problem,
            at_most=self.at_most,
            measured=measured,
            notes=(*lost.notes, *_limits(evidence.faults)),
        )

    def _set(
        self, events: Sequence[Event], window: tuple[float, float], evidence: Evidence
    ) -> _Loss:
        history = set_history(events)
        start, end = window
        ends = history.adds.ok
        acknowledged = len(ends)
        if self.during != "all":
            acknowledged = sum(start <= event.t <= end for event in ends.values())
        lost = [one for one in history.lost() if start <= one.add.ended <= end]
        tail = ""
        if lost:
            views = {view for one in lost for view in one.absent}
            other = set.intersection(*(set(one.present) for one in lost))
            if views == {"read"} and "truth" in other:
                tail = "; all of them are still in the store (`truth`), the app does not show them"
        stored, unanswered = history.unanswered()
        problem = gap(events, self, evidence.faults, NEED)
        notes = _doubtful("add", unanswered, stored, "stored")
        return _Loss([_absent(one) for one in lost], acknowledged, problem, notes, tail)

    def _queue(
        self, events: Sequence[Event], window: tuple[float, float], evidence: Evidence
    ) -> _Loss:
        history = queue_history(events)
        sent = {
            value: end
            for value, end in history.acknowledged().items()
            if window[0] <= end.t <= window[1]
        }
        missing = [(value, end) for value, end in sent.items() if value not in history.delivered]
        problem = gap(events, self, evidence.faults, QUEUE)
        if not history.emptied:
            # What nobody received may still be waiting.
            missing = []
            problem = problem or (
                f"the queue of workload `{self.workload}` was not seen empty after the last send; "
                "let `drain` or `receive` go on until there is nothing left"
            )
        found = [
            Anomaly(end.t, f"LOST {value}: acknowledged at {moment(end.t)}, never received")
            for value, end in missing
        ]
        doubt = history.doubtful_receives
        tail = ""
        if doubt:
            tail = (
                f"; {count(doubt, 'receive')} had no clear answer and may have taken "
                f"{'one' if doubt == 1 else 'some'} away"
            )
        unanswered = history.unanswered()
        arrived = sum(value in history.delivered for value in unanswered)
        notes = _doubtful("send", len(unanswered), arrived, "received")
        return _Loss(found, len(sent), problem, notes, tail)


def _absent(lost: Lost) -> Anomaly:
    absent = ", ".join(f"{k} of {n} final reads of {view}" for view, (k, n) in lost.absent.items())
    present = f", present in {' and '.join(lost.present)}" if lost.present else ""
    t = lost.add.ended
    text = f"LOST {lost.add.element}: absent from {absent}{present}, acknowledged at {moment(t)}"
    return Anomaly(t, text)


def _doubtful(op: str, unanswered: int, there: int, how: str) -> Sequence[str]:
    if not unanswered:
        return ()
    writes = count(unanswered, op)
    return (f"{writes} had no clear answer; {there} of them {_are(there)} {how}, both is allowed",)


def _limits(faults: Sequence[FaultWindow]) -> Sequence[str]:
    kinds = sorted({fault.fault for fault in faults if fault.fault in ENDS_PROCESSES})
    if not kinds:
        return ()
    which = " and ".join(f"`{kind}`" for kind in kinds)
    end = "ends" if len(kinds) == 1 else "end"
    limit = "this says nothing about what a power cut would lose (fsync)"
    return (f"{which} {end} processes, not the machine: {limit}",)


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
