"""Whether messages arrive in the order in which they were sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED as EVENTS
from chaoskit.checks.histories.channels import channels
from chaoskit.checks.histories.operations import Element, about, element, plain
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
            judged = len(queue.delivered)
            found = list(_queue(history.events, queue))
        else:
            feed = channels(history.events)
            judged = sum(len(one.received) for one in feed.subscribers)
            found = [
                anomaly
                for one in feed.subscribers
                for anomaly in _subscriber(one.process, one.received, feed.sent)
            ]
        found = [one for one in found if start <= one.at <= end]
        return Judged(
            found,
            judged,
            measured=f"{len(found)} out of order (of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'message')} of workload `{self.workload}` "
                f"arrived out of order{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
        )


def _queue(events: Sequence[Event], history: QueueHistory) -> Iterator[Anomaly]:
    """Yield the overtaken messages: the sender knew their order, and the receiver saw another."""
    sent, delivered = history.sent, history.delivered
    yield from _in_lists(events, history)
    # Of what was sent before: the delivery that began last, and its value; by key.
    latest: dict[Key, tuple[int, Element]] = {}
    for event in events:
        if event.op != "send" or event.type not in ("ok", "invoke"):
            continue
        value = event.value if type(event.value) is int else element(event.value)
        delivery = delivered.get(value)
        if delivery is None or value not in sent:
            continue
        known = latest.get(event.key)
        if event.type == "ok":
            if known is None or delivery[0] > known[0]:
                latest[event.key] = (delivery[0], value)
        elif known is not None and known[0] > delivery[1]:
            yield _overtaken(events, known[1], delivered[known[1]], value, delivery)


def _in_lists(events: Sequence[Event], history: QueueHistory) -> Iterator[Anomaly]:
    """Yield what is in the wrong order inside one list of a `drain` or a `receive`."""
    lists: dict[int, list[tuple[int, Element]]] = {}
    for value, (_, end, place) in history.delivered.items():
        if place:
            lists.setdefault(end, []).append((place, value))
    if not lists:
        return
    for value, (_, end, place) in history.delivered.items():
        if not place and end in lists:
            lists[end].append((place, value))
    for row in lists.values():
        earliest: dict[Key, tuple[int, Element]] = {}  # of what comes later in the list
        for _, value in sorted(row, key=itemgetter(0), reverse=True):
            if value not in history.sent:
                continue
            begin, end = history.sent[value]
            key = events[begin].key
            ended, earlier = earliest.get(key, (len(events), ""))
            if begin > ended:
                late = history.delivered[earlier]
                yield _overtaken(events, earlier, late, value, history.delivered[value])
            if end != OPEN and events[end].type == "ok" and end < ended:
                earliest[key] = (end, value)


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
) -> Iterator[Anomaly]:
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
        elif ended is not None and ended < known[0]:
            text = (
                f"LATE {plain(numbered)}{about(channel)}: subscriber {process} got it at "
                f"{moment(t)}, after {plain(known[1])}"
            )
            yield Anomaly(t, text, abs(known[1] - numbered))
