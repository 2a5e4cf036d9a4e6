"""Whether everything that was acknowledged is still there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaoskit.checks._base import History, NotJudged, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_jobs, foreign_values
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.queue import NEED as QUEUE
from chaoskit.checks.histories.queue import queue_history
from chaoskit.checks.histories.set import NEED, Lost, set_history
from chaoskit.fields import Percentage
from chaoskit.numeric import above
from chaoskit.records import FaultWindow
from chaoskit.text import count, moment, percent


@dataclass(frozen=True, slots=True)
class _Loss:
    """What is lost of what was acknowledged in the window, and what else to say."""

    found: Sequence[Anomaly]
    acknowledged: int
    gap: str | None
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
    workloads: ClassVar[Mapping[str, Need]] = {"set": NEED, "queue": QUEUE}
    anomalies: ClassVar[str] = "lost values"
    formal: ClassVar[str] = "lost update / durability"
    cannot_tell: ClassVar[str] = (
        "What a power cut would lose: killing a process leaves what it wrote to the kernel. And "
        "whether a lost value was there for a while."
    )
    remedy: ClassVar[str] = (
        "Give the final reads time to succeed (`settle`), or drain the queue to its end."
    )

    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} lost" if self.at_most else "none lost"

    def look(self, history: History) -> Judged:
        lost = (self._queue if history.kind == "queue" else self._set)(history)
        many, of = len(lost.found), lost.acknowledged
        if not of:
            raise NotJudged(
                f"nothing of workload `{self.workload}` was acknowledged in this window"
            )
        part = percent(many, of, self.at_most)
        return Judged(
            lost.found,
            of,
            measured=f"{many} lost{f', {part}' if many else ''} (of {of})",
            sentence=(
                f"{many} of {count(of, 'acknowledged value')} of workload `{self.workload}` "
                f"{'is' if many == 1 else 'are'} lost ({part})"
            ),
            at_most=self.at_most,
            first="oldest acknowledged",
            last="newest",
            tail=lost.tail,
            gap=lost.gap,
            notes=(*lost.notes, *_limits(history.faults)),
        )

    def _set(self, history: History) -> _Loss:
        start, end = history.window
        data = set_history(history.events)
        acknowledged = sum(start <= event.t <= end for event in data.adds.ok.values())
        lost = [one for one in data.lost() if start <= one.add.ended <= end]
        tail = ""
        if lost:
            views = {view for one in lost for view in one.absent}
            other = set.intersection(*(set(one.present) for one in lost))
            if views == {"read"} and "truth" in other:
                tail = "; all of them are still in the store (`truth`), the app does not show them"
        stored, unanswered = data.unanswered()
        notes = _doubtful("add", unanswered, stored, "stored")
        gap = foreign_values(history.events, self.workload)
        return _Loss([_absent(one) for one in lost], acknowledged, gap, notes, tail)

    def _queue(self, history: History) -> _Loss:
        start, stop = history.window
        queue = queue_history(history.events)
        sent = {value: end for value, end in queue.acknowledged().items() if start <= end.t <= stop}
        missing = [
            Anomaly(end.t, f"LOST {value}: acknowledged at {moment(end.t)}, never received")
            for value, end in sent.items()
            if value not in queue.delivered
        ]
        taken = int(min(queue.may_have_taken(), len(missing)))
        doubt = (
            f"{count(queue.doubtful.total(), 'receive')} had no answer and may have taken "
            f"{taken} of them away"
        )
        gap = None
        if queue.emptied_at is None:
            missing = []  # what nobody received may still be waiting
            gap = (
                f"the queue of workload `{self.workload}` was not seen empty after the last send; "
                "let `drain` or `receive` go on until there is nothing left"
            )
        elif taken and above(len(missing) / len(sent), self.at_most):
            gap = (
                f"{count(len(missing), 'acknowledged message')} of workload `{self.workload}` "
                f"never came, and {doubt}"
            )
        tail = f"; {doubt}" if taken else ""
        unanswered = queue.unanswered()
        arrived = sum(value in queue.delivered for value in unanswered)
        notes = _doubtful("send", len(unanswered), arrived, "received")
        gap = gap or foreign_jobs(queue, self.workload)
        return _Loss(missing[taken:], len(sent), gap, notes, tail)


def _absent(lost: Lost) -> Anomaly:
    absent = ", ".join(f"{k} of {n} final reads of {view}" for view, (k, n) in lost.absent.items())
    present = f", present in {' and '.join(lost.present)}" if lost.present else ""
    t = lost.add.ended
    text = f"LOST {lost.add.element}: absent from {absent}{present}, acknowledged at {moment(t)}"
    return Anomaly(t, text)


def _doubtful(op: str, unanswered: int, there: int, how: str) -> Sequence[str]:
    if not unanswered:
        return ()
    writes, are = count(unanswered, op), "is" if there == 1 else "are"
    return (f"{writes} had no clear answer; {there} of them {are} {how}, both is allowed",)


def _limits(faults: Sequence[FaultWindow]) -> Sequence[str]:
    kinds = sorted({fault.fault for fault in faults if fault.ends_processes})
    if not kinds:
        return ()
    which = " and ".join(f"`{kind}`" for kind in kinds)
    end = "ends" if len(kinds) == 1 else "end"
    limit = "this says nothing about what a power cut would lose (fsync)"
    return (f"{which} {end} processes, not the machine: {limit}",)
