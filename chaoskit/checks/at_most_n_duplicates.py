"""How often something is delivered again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from pydantic import Field

from chaoskit.checks._base import ALL, History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_jobs, foreign_messages, hidden_messages
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED as EVENTS
from chaoskit.checks.histories.channels import Channels, channels
from chaoskit.checks.histories.operations import Element, about, plain
from chaoskit.checks.histories.queue import SEEN, QueueHistory, queue_history
from chaoskit.records import Key
from chaoskit.text import count, moment


@check("at_most_n_duplicates")
class AtMostNDuplicates(WorkloadCheck):
    """Nothing is delivered more than once, except at most `n` times in all.

    A message that arrives three times counts two. For events it is counted per subscriber. `during`
    picks repetitions by when they were delivered. Usual causes: a redelivery after a crash before
    the acknowledgement, a sender that tries again after a lost reply.
    """

    example: ClassVar[str] = "{ check: at_most_n_duplicates, workload: jobs, n: 5 }"
    workloads: ClassVar[Mapping[str, Need]] = {"queue": SEEN, "events": EVENTS}
    anomalies: ClassVar[str] = "duplicates"
    formal: ClassVar[str] = "exactly-once delivery, broken to at-least-once"
    cannot_tell: ClassVar[str] = "Whether the receiver's work on a repetition was done twice."
    remedy: ClassVar[str] = "Receive more, before, during and after the faults."

    n: int = Field(default=0, ge=0)

    @property
    def bound(self) -> str:
        return f"<= {count(self.n, 'duplicate')}" if self.n else "no duplicate"

    def look(self, history: History) -> Judged:
        if history.kind == "queue":
            queue = queue_history(history.events)
            judged, again = _queue(queue, history)
            gap = hidden_messages(queue) or foreign_jobs(queue, self.workload)
        else:
            feed = channels(history.events)
            judged, again = _events(feed, history)
            gap = foreign_messages(feed, self.workload)
        deliveries = count(judged, "delivery", "deliveries")
        found = [Anomaly(t, f"AGAIN {text} at {moment(t)}") for t, text in again]
        return Judged(
            found if len(found) > self.n else [],
            judged,
            measured=f"{count(len(found), 'duplicate')} (of {deliveries})",
            sentence=(
                f"{len(found)} of {deliveries} of workload `{self.workload}` "
                f"{'was' if len(found) == 1 else 'were'} a repetition, {self.n} allowed"
            ),
            gap=gap,
        )


Again: TypeAlias = tuple[int, list[tuple[float, str]]]  # deliveries, and when which came again


def _queue(queue: QueueHistory, history: History) -> Again:
    events, (start, stop) = history.events, history.window
    times: dict[Element, int] = {}
    again = []
    for value, (begin, end, _) in queue.repeated:
        if value not in queue.sent:  # somebody else's
            continue
        times[value] = times.get(value, 1) + 1
        t = events[end].t
        if start <= t <= stop:
            again.append((t, f"{value}: {events[begin].op}, delivery {times[value]},"))
    first = len(queue.delivered)
    if history.window != ALL:
        first = history.count_inside(queue.received_at())
    return first + len(again), again


def _events(feed: Channels, history: History) -> Again:
    start, stop = history.window
    deliveries = 0
    again = []
    for one in feed.subscribers:
        deliveries += history.count_inside(one.received.values())
        deliveries += history.count_inside([t for t, _ in one.repeated])
        seen: dict[tuple[Key, float], int] = {}
        for t, (channel, number) in one.repeated:
            times = seen[channel, number] = seen.get((channel, number), 1) + 1
            if (channel, number) in feed.sent and start <= t <= stop:
                who = f"subscriber {one.process}, delivery {times},"
                again.append((t, f"{plain(number)}{about(channel)}: {who}"))
    return deliveries, again
