"""Whether messages arrive in the order in which they were sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_messages, hidden_messages
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED as EVENTS
from chaoskit.checks.histories.channels import channels
from chaoskit.checks.histories.operations import Element, about, plain
from chaoskit.checks.histories.queue import OPEN, SEEN, Delivery, QueueHistory, queue_history
from chaoskit.fields import Percentage
from chaoskit.records import Event, Key
from chaoskit.text import count, in_brackets, moment


@check("order")
class Order(WorkloadCheck):
    """Messages arrive in the order in which they were sent.

    In a queue, two messages with the same key are out of order when one was acknowledged before the
    other was sent, and yet received after the other had been. For events likewise, for each
    subscriber and channel. What was sent without a clear answer may come at any later time, and
    repetitions do not count here. `at_most` allows a share of the messages to be out of order.
    """

    example: ClassVar[str] = "{ check: order, workload: jobs }"
    workloads: ClassVar[Mapping[str, Need]] = {"queue": SEEN, "events": EVENTS}
    anomalies: ClassVar[str] = "messages out of order"
    formal: ClassVar[str] = "FIFO order"
    cannot_tell: ClassVar[str] = (
        "The order of messages that were sent or received at the same time, and of lost ones."
    )
    remedy: ClassVar[str] = "Send and receive more, before, during and after the faults."

    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} out of order" if self.at_most else "in order"

    def look(self, history: History) -> Judged:
        start, end = history.window
        if history.kind == "queue":
            queue = queue_history(history.events)
            gap = hidden_messages(queue)
            ends = [history.events[delivery[1]].t for delivery in queue.delivered.values()]
            late = _queue(history.events, queue)
        else:
            feed = channels(history.events)
            gap = foreign_messages(feed, self.workload)
            ends = [t for one in feed.subscribers for t in one.received.values()]
            late = chain.from_iterable(
                _subscriber(one.process, one.received, feed.sent) for one in feed.subscribers
            )
        # Each message comes with what shows that it is late; without, it is in order.
        compared = [one for one in late if one is None or start <= one.at <= end]
        found = [one for one in compared if one is not None]
        judged = sum(start <= t <= end for t in ends)
        if not compared:
            gap = (
                f"no message of workload `{self.workload}` was received that had been acknowledged "
                "before another one was sent, so there is no order to judge"
            )
        return Judged(
            found,
            judged,
            measured=f"{len(found)} out of order (of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'message')} of workload `{self.workload}` "
                f"arrived out of order{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
            gap=gap,
        )


def _queue(events: Sequence[Event], queue: QueueHistory) -> Iterator[Anomaly | None]:
    """Yield, for each message that has a known place in the order, whether it was overtaken.

    Overtaken is what was acknowledged before another message was sent, and yet received after it:
    by a later receive, or further back in the same list.
    """
    sent, delivered = queue.sent, queue.delivered
    marks: dict[int, Element] = {}  # when messages were sent and when they were acknowledged
    for value in delivered:
        begin, end = sent.get(value, (OPEN, OPEN))
        if begin != OPEN:
            marks[begin] = value
            if end != OPEN and events[end].type == "ok":
                marks[end] = value
    # Of what was sent later: the delivery that ended first, by key; and the first in each list.
    first: dict[Key, tuple[int, Element]] = {}
    in_list: dict[tuple[Key, int], tuple[int, Element]] = {}
    lists = max(queue.batch.values(), default=1) > 1
    for place in sorted(marks, reverse=True):
        value = marks[place]
        begin, end, index = delivered[value]
        key = events[sent[value][0]].key
        known = first.get(key)
        if place == sent[value][0]:
            if known is None or end < known[0]:
                first[key] = (end, value)
            if lists and index < in_list.get((key, end), (index + 1, ""))[0]:
                in_list[key, end] = (index, value)
            continue
        if known is None:
            continue
        by = known[1] if known[0] < begin else None
        if lists and by is None and in_list.get((key, end), (index, ""))[0] < index:
            by = in_list[key, end][1]
        yield None if by is None else _overtaken(events, value, delivered[value], by, delivered[by])


def _overtaken(
    events: Sequence[Event], earlier: Element, late: Delivery, value: Element, delivery: Delivery
) -> Anomaly:
    t = events[late[1]].t
    text = (
        f"OVERTAKEN {earlier}: sent before {value}, received at {moment(t)}, "
        f"{value} at {moment(events[delivery[1]].t)}"
    )
    return Anomaly(t, text)


def _subscriber(
    process: int,
    received: Mapping[tuple[Key, float], float],
    sent: Mapping[tuple[Key, float], tuple[int, int | None]],
) -> Iterator[Anomaly | None]:
    """Yield, for each message but the first of a channel, whether it was received too late."""
    latest: dict[Key, tuple[int, float]] = {}  # of what it has got: published last, its number
    for what, t in received.items():
        when = sent.get(what)
        if when is None:  # nobody here published it
            continue
        begun, ended = when
        channel, numbered = what
        known = latest.get(channel)
        if known is None or begun > known[0]:
            latest[channel] = (begun, numbered)
        if known is None:
            continue
        if ended is None or ended > known[0]:
            yield None
            continue
        text = (
            f"LATE {plain(numbered)}{about(channel)}: subscriber {process} got it at "
            f"{moment(t)}, after {plain(known[1])}"
        )
        yield Anomaly(t, text, abs(known[1] - numbered))
