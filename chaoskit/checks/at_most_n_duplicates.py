"""How often something is delivered again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._channels import channels
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._operations import about, name, ordered, plain
from chaoskit.checks._queue import DELIVERING, is_queue, queue_history
from chaoskit.checks._text import count, moment
from chaoskit.checks._told import Anomaly, Telling, finding, history_of, span
from chaoskit.records import Event, Evidence, Finding

QUEUE = Need(writes=("send",), reads=DELIVERING, saw=lambda value: value not in (None, []))
EVENTS = Need(writes=("publish",), reads=("receive",))


@check("at_most_n_duplicates")
class AtMostNDuplicates(WorkloadCheck):
    """Nothing is delivered more than once, except at most `n` times in all.

    A message that arrives three times counts two. For events it is counted per subscriber. `during`
    picks repetitions by when they were delivered. Usual causes: a redelivery after a crash before
    the acknowledgement, a sender that tries again after a lost reply.
    """

    example: ClassVar[str] = "{ check: at_most_n_duplicates, workload: jobs, n: 5 }"
    workloads: ClassVar[tuple[str, ...]] = ("queue", "events")
    formal: ClassVar[str] = "exactly-once delivery, broken to at-least-once"
    cannot_tell: ClassVar[str] = "Whether the receiver's work on a repetition was done twice."
    remedy: ClassVar[str] = "Receive more, before, during and after the faults."

    n: int = Field(default=0, ge=0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {count(self.n, 'duplicate')}" if self.n else "no duplicate"
        events = history_of(self, evidence)
        window = span(self, evidence)
        if isinstance(events, str) or isinstance(window, str):
            return unknown(bound, events if isinstance(events, str) else str(window))
        events = ordered(events)
        queue = is_queue(events)
        judged = 0
        found: list[Anomaly] = []
        for t, text, times in _queue(events) if queue else _events(events):
            if not window[0] <= t <= window[1]:
                continue
            judged += 1
            if times > 1:
                found.append(Anomaly(t, f"AGAIN {text} at {moment(t)}, delivery {times}"))
        measured = (
            f"{count(len(found), 'duplicate')} (of {count(judged, 'delivery', 'deliveries')})"
        )
        problem = gap(events, self.workload, evidence.faults, QUEUE if queue else EVENTS)
        if len(found) <= self.n and problem is None:
            found = []
        told = Telling(
            noun="duplicate",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'delivery', 'deliveries')} of workload "
                f"`{self.workload}` {'was' if len(found) == 1 else 'were'} a repetition, "
                f"{self.n} allowed"
            ),
            formal=self.formal,
        )
        found = found if len(found) > self.n else []
        return finding(evidence, found, told, bound, problem, measured=measured)


def _queue(events: Sequence[Event]) -> Iterator[tuple[float, str, int]]:
    """Yield every delivery: when, what, and the how manyth of this value it is."""
    for value, deliveries in queue_history(events).delivered.items():
        for times, delivery in enumerate(deliveries, 1):
            yield delivery.end.t, f"{value}: {delivery.begin.op}", times


def _events(events: Sequence[Event]) -> Iterator[tuple[float, str, int]]:
    for one in channels(events).subscribers:
        seen: dict[tuple[object, float], int] = {}
        for t, channel, number in one.received:
            times = seen[channel, number] = seen.get((channel, number), 0) + 1
            shown = name(channel) if not isinstance(channel, tuple) else channel[1]
            yield t, f"{plain(number)}{about(shown)}: subscriber {one.process}", times
