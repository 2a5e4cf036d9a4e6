"""Whether messages arrive in the order in which they were sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._channels import channels
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._operations import about, name, ordered, plain
from chaoskit.checks._queue import DELIVERING, Delivery, QueueHistory, is_queue, queue_history
from chaoskit.checks._text import count, moment, percent
from chaoskit.checks._told import Anomaly, Telling, finding, history_of, span
from chaoskit.checks._zones import Value, frozen
from chaoskit.fields import Percentage
from chaoskit.records import Event, Evidence, Finding

QUEUE = Need(writes=("send",), reads=DELIVERING, saw=lambda value: value not in (None, []))
EVENTS = Need(writes=("publish",), reads=("receive",))


@check("order")
class Order(WorkloadCheck):
    """Messages arrive in the order in which they were sent.

    In a queue, two messages with the same key are out of order when one was acknowledged before the
    other was sent, and yet received after the other had been. For events, when a subscriber gets a
    number for the first time after a higher one of the same channel. Repetitions do not count here.
    `at_most` allows a share of the messages to be out of order.
    """

    example: ClassVar[str] = "{ check: order, workload: jobs }"
    workloads: ClassVar[tuple[str, ...]] = ("queue", "events")
    formal: ClassVar[str] = "FIFO order"
    cannot_tell: ClassVar[str] = (
        "The order of messages that were sent or received at the same time, and of lost ones."
    )
    remedy: ClassVar[str] = "Send and receive more, before, during and after the faults."

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} out of order" if self.at_most else "in order"
        events = history_of(self, evidence)
        window = span(self, evidence)
        if isinstance(events, str) or isinstance(window, str):
            return unknown(bound, events if isinstance(events, str) else str(window))
        events = ordered(events)
        queue = is_queue(events)
        if queue:
            history = queue_history(events)
            judged = len(history.delivered)
            found = list(_queue(events, history))
        else:
            heard = channels(events)
            judged = sum(len(one.known) for one in heard.subscribers)
            found = [
                anomaly
                for one in heard.subscribers
                for anomaly in _subscriber(one.process, one.received)
            ]
        found = [one for one in found if window[0] <= one.at <= window[1]]
        share = f" ({percent(len(found), judged, self.at_most)})" if judged else ""
        told = Telling(
            noun="message out of order",
            plural="messages out of order",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'message')} of workload `{self.workload}` "
                f"arrived out of order{share}"
            ),
            formal=self.formal,
        )
        problem = gap(events, self.workload, evidence.faults, QUEUE if queue else EVENTS)
        measured = f"{len(found)} out of order (of {judged})"
        return finding(
            evidence, found, told, bound, problem, at_most=self.at_most, measured=measured
        )


def _queue(events: Sequence[Event], history: QueueHistory) -> Iterator[Anomaly]:
    """Yield the overtaken messages: the sender knew their order, and the receiver saw another."""
    places = {id(event): place for place, event in enumerate(events)}
    first = {value: found[0] for value, found in history.delivered.items()}
    yield from _in_lists(first, history, places)
    latest: dict[Value, tuple[int, str]] = {}  # the latest begun delivery of what was sent before
    for event in events:
        if event.op != "send":
            continue
        value, key = name(event.value), frozen(event.key)
        delivery = first.get(value)
        if delivery is None:
            continue
        if event.type == "ok":
            begun = places[id(delivery.begin)]
            if begun > latest.get(key, (-1, ""))[0]:
                latest[key] = (begun, value)
        elif event.type == "invoke" and key in latest:
            begun, earlier = latest[key]
            if begun > places[id(delivery.end)]:
                yield _overtaken(earlier, first[earlier], value, delivery)


def _in_lists(
    first: Mapping[str, Delivery], history: QueueHistory, places: Mapping[int, int]
) -> Iterator[Anomaly]:
    """Yield what is in the wrong order inside one list of a `drain` or a `receive`."""
    lists: dict[int, list[tuple[int, str]]] = {}
    for value, delivery in first.items():
        lists.setdefault(id(delivery.end), []).append((delivery.place, value))
    for row in lists.values():
        earliest: dict[Value, tuple[int, str]] = {}  # of what comes later in the list
        for _, value in sorted(row, reverse=True):
            sent = history.sent.get(value)
            if sent is None:
                continue
            begin, end = sent
            key = frozen(begin.key)
            ended, earlier = earliest.get(key, (len(places), ""))
            if places[id(begin)] > ended:
                yield _overtaken(earlier, first[earlier], value, first[value])
            if end is not None and end.type == "ok" and places[id(end)] < ended:
                earliest[key] = (places[id(end)], value)


def _overtaken(earlier: str, late: Delivery, value: str, delivery: Delivery) -> Anomaly:
    text = (
        f"OVERTAKEN {earlier}: sent before {value}, received at {moment(late.end.t)}, "
        f"{value} at {moment(delivery.end.t)}"
    )
    return Anomaly(late.end.t, text)


def _subscriber(process: int, received: Sequence[tuple[float, Value, float]]) -> Iterator[Anomaly]:
    highest: dict[Value, float] = {}
    seen: set[tuple[Value, float]] = set()
    for t, channel, numbered in received:
        known = highest.get(channel)
        if known is None or numbered > known:
            highest[channel] = numbered
        elif (channel, numbered) not in seen:
            shown = channel[1] if isinstance(channel, tuple) else channel
            text = (
                f"LATE {plain(numbered)}{about(shown)}: subscriber {process} got it at "
                f"{moment(t)}, after {plain(known)}"
            )
            yield Anomaly(t, text, known - numbered)
        seen.add((channel, numbered))
