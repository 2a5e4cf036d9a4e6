"""Whether messages arrive in the order in which they were sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

from chaoskit.checks._base import ALL, History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_jobs, foreign_messages, hidden_messages
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED as EVENTS
from chaoskit.checks.histories.channels import Subscriber, channels
from chaoskit.checks.histories.operations import Element, about, plain
from chaoskit.checks.histories.queue import OPEN, SEEN, Delivery, QueueHistory, queue_history
from chaoskit.fields import Percentage
from chaoskit.records import Event, Key
from chaoskit.text import count, in_brackets, moment

# A message: whether it was acknowledged here or sent, its value and key, its first delivery.
_Mark: TypeAlias = tuple[bool, Element, Key, int, int, int]


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
        if history.kind == "queue":
            queue = queue_history(history.events)
            gap = hidden_messages(queue) or foreign_jobs(queue, self.workload)
            found, compared, judged = _queue(history.events, queue, history.window)
        else:
            feed = channels(history.events)
            gap = foreign_messages(feed, self.workload)
            found, compared, judged = [], 0, 0
            for one in feed.subscribers:
                late, known, own = _subscriber(one, feed.sent, history.window)
                found += late
                compared += known
                judged += own
        if not compared or judged < 2:
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


def _queue(
    events: Sequence[Event], queue: QueueHistory, window: tuple[float, float]
) -> tuple[list[Anomaly], int, int]:
    """Return the overtaken messages, how many have a known place in the order, and how many came.

    Overtaken is what was acknowledged before another message was sent, and yet received after it:
    by a later receive, or further back in the same list.
    """
    marks: list[_Mark | None] = [None] * len(events)  # at each send and each acknowledgement
    get = queue.sent.get
    whole = window == ALL
    own = 0
    for value, (begin, end, index) in queue.delivered.items():
        places = get(value)
        if places is not None:
            sent, ended = places
            own += whole or window[0] <= events[end].t <= window[1]
            key = events[sent].key
            marks[sent] = (False, value, key, begin, end, index)
            if ended != OPEN and events[ended].type == "ok":
                marks[ended] = (True, value, key, begin, end, index)
    found: list[Anomaly] = []
    compared = 0
    # Of what was sent later: the delivery that ended first, by key; and the first in each list.
    first: dict[Key, tuple[int, Element]] = {}
    in_list: dict[tuple[Key, int], tuple[int, Element]] = {}
    lists = max(queue.batch.values(), default=1) > 1
    for acknowledged, value, key, begin, end, index in filter(None, reversed(marks)):
        known = first.get(key)
        if not acknowledged:
            if known is None or end < known[0]:
                first[key] = (end, value)
            if lists and index < in_list.get((key, end), (index + 1, ""))[0]:
                in_list[key, end] = (index, value)
        elif known is not None and (whole or window[0] <= events[end].t <= window[1]):
            compared += 1
            if known[0] >= begin:
                known = in_list.get((key, end)) if lists else None
                if known is None or known[0] >= index:
                    continue
            by = known[1]
            found.append(_overtaken(events, value, (begin, end, index), by, queue.delivered[by]))
    return found, compared, own


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
    one: Subscriber,
    sent: Mapping[tuple[Key, float], tuple[int, int | None]],
    window: tuple[float, float],
) -> tuple[list[Anomaly], int, int]:
    """Return the messages that came too late; and how many came in the window, after another one of
    their channel that did, and altogether."""
    found: list[Anomaly] = []
    compared = own = 0
    heard: set[Key] = set()  # channels, in the window
    latest: dict[Key, tuple[int, float]] = {}  # of what it has got: published last, its number
    for what, t in one.received.items():
        when = sent.get(what)
        if when is None:  # nobody here published it
            continue
        begun, ended = when
        channel, numbered = what
        known = latest.get(channel)
        if known is None or begun > known[0]:
            latest[channel] = (begun, numbered)
        if not window[0] <= t <= window[1]:
            continue
        own += 1
        compared += channel in heard
        heard.add(channel)
        if known is not None and ended is not None and ended < known[0]:
            text = (
                f"LATE {plain(numbered)}{about(channel)}: subscriber {one.process} got it at "
                f"{moment(t)}, after {plain(known[1])}"
            )
            found.append(Anomaly(t, text, abs(known[1] - numbered)))
    return found, compared, own
