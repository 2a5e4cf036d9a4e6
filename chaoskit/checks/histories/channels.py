"""What a history of events says: what was published, and what every subscriber came to know."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import NamedTuple

from chaoskit.checks._coverage import Need
from chaoskit.checks.histories.operations import number
from chaoskit.records import Event, Key

NEED = Need(writes=("publish",), reads=("receive",), after_begun=True)

_start = attrgetter("start")
_SUBSCRIBERS = frozenset({"subscribe", "receive", "resync"})


class Published(NamedTuple):
    """One acknowledged message: its channel and number, its invocation and acknowledgement.

    `sent` and `acknowledged` are their places in the history.
    """

    channel: Key
    number: float
    begin: Event
    end: Event
    sent: int
    acknowledged: int


@dataclass(slots=True)
class Connection:
    """From when to when a subscriber was connected; `end` is None while it lasts.

    `place` is that of its start in the history.
    """

    start: float
    place: int
    end: float | None = None


@dataclass(slots=True)
class Subscriber:
    """One subscriber: its connections, what it received, what resyncs offered.

    `received` says when it first received (channel, number), in that order; `repeated` holds what
    it received again; `resynced` says when a resync returned it.
    `offered` holds, by channel or None for all, rising numbers and when a resync returned them:
    all up to such a number is known then.
    `reconnect_failed` says that it tried to come back after its last connection, and could not.
    """

    process: int
    connections: list[Connection] = field(default_factory=list)
    channels: set[Key] = field(default_factory=set)
    hears_all: bool = False
    repeated: list[tuple[float, tuple[Key, float]]] = field(default_factory=list)
    received: dict[tuple[Key, float], float] = field(default_factory=dict)
    resynced: dict[tuple[Key, float], float] = field(default_factory=dict)
    offered: dict[Key, tuple[list[float], list[float]]] = field(default_factory=dict)
    reconnect_failed: bool = False

    def follows(self, channel: Key) -> bool:
        """Return whether it is on a channel: it subscribed to it or to all, or received from it."""
        return self.hears_all or channel in self.channels

    def connected(self, t: float) -> bool:
        place = bisect_right(self.connections, t, key=_start)
        return bool(place) and t <= (self.connections[place - 1].end or float("inf"))

    def known_at(self, message: Published) -> float | None:
        """Return when it first knew of a message, by receiving it or by a resync."""
        what = (message.channel, message.number)
        found = self.received.get(what)
        if not self.resynced and not self.offered:
            return found
        times = [self.resynced.get(what), self.resynced.get((None, message.number)), found]
        for channel in {None, message.channel} & self.offered.keys():
            numbers, when = self.offered[channel]
            place = bisect_left(numbers, message.number)
            times += when[place : place + 1]
        return min((t for t in times if t is not None), default=None)


@dataclass(slots=True)
class Channels:
    """All subscribers, and what was published.

    `sent` says between which places of the history a message was published; the second is None
    where it was never acknowledged. `never_connected` names the processes never connected. `early`
    says how often what was received before it was published, or without that; `resynced_early` is
    what resyncs returned likewise.
    """

    events: Sequence[Event]
    subscribers: list[Subscriber]
    sent: dict[tuple[Key, float], tuple[int, int | None]]
    never_connected: list[int]
    early: Mapping[tuple[Key, float], int]
    resynced_early: Collection[tuple[Key, float]]

    @property
    def end(self) -> float:
        """The end of the history."""
        return self.events[-1].t if self.events else 0.0

    def published(self) -> list[Published]:
        """Return the acknowledged messages in the order of acknowledgement."""
        ended = [(end, what, begin) for what, (begin, end) in self.sent.items() if end is not None]
        ended.sort(key=itemgetter(0))
        return [self.message(what, begin, end) for end, what, begin in ended]

    def message(self, what: tuple[Key, float], begin: int, end: int) -> Published:
        return Published(*what, self.events[begin], self.events[end], begin, end)


def channels(events: Sequence[Event]) -> Channels:  # noqa: PLR0912  # one loop, for speed
    """Analyse a history in order of time."""
    pending: dict[int, tuple[Key, float]] = {}
    sent: dict[tuple[Key, float], tuple[int, int | None]] = {}
    subscribers: dict[int, Subscriber] = {}
    early: Counter[tuple[Key, float]] = Counter()
    resynced_early: set[tuple[Key, float]] = set()
    for place, event in enumerate(events):
        op, type_ = event.op, event.type
        if op in _SUBSCRIBERS:
            if type_ == "invoke":
                continue
            one = subscribers.get(event.process)
            if one is None:
                one = subscribers[event.process] = Subscriber(event.process)
            if op == "resync":
                if type_ == "ok":
                    found = _resynced(one, event)
                    resynced_early.update(what for what in found if what not in sent)
            elif op == "subscribe":
                _connection(one, event, place)
            elif type_ == "ok":
                numbered = event.value if type(event.value) is int else number(event.value)
                if numbered is not None:
                    what = (event.key, numbered)
                    if what not in sent:
                        early[what] += 1
                    _received(one, event, what, place)
        elif op == "publish":
            if type_ == "invoke":
                numbered = event.value if type(event.value) is int else number(event.value)
                if numbered is not None:
                    what = (event.key, numbered)
                    pending[event.id] = what
                    sent.setdefault(what, (place, None))
            elif type_ != "info" and event.id in pending:
                what = pending.pop(event.id)
                if type_ == "fail":
                    sent.pop(what, None)
                else:
                    sent[what] = (sent[what][0] if what in sent else place, place)
    connected = [one for one in subscribers.values() if one.connections]
    never_connected = [one.process for one in subscribers.values() if not one.connections]
    return Channels(events, connected, sent, never_connected, early, resynced_early)


def _connection(one: Subscriber, event: Event, place: int) -> None:
    """Take note of the begin or the end of a connection."""
    channel = event.key
    if event.type == "ok":
        if one.connections and one.connections[-1].end is None:
            one.connections[-1].end = event.t
        one.connections.append(Connection(event.t, place))
        one.channels.add(channel)
        one.hears_all |= channel is None
        one.reconnect_failed = False
    elif one.connections and one.connections[-1].end is None:
        one.connections[-1].end = event.t
    else:
        one.reconnect_failed = True


def _received(one: Subscriber, event: Event, what: tuple[Key, float], place: int) -> None:
    channel, t = event.key, event.t
    known = len(one.received)
    one.received.setdefault(what, t)  # looked up once: there are many
    if len(one.received) == known:
        one.repeated.append((t, what))
        return
    if channel not in one.channels or not one.connections:
        one.channels.add(channel)
        if not one.connections:
            one.connections.append(Connection(t, place))


def _resynced(one: Subscriber, event: Event) -> Sequence[tuple[Key, float]]:
    """Take note of a resync, and return the messages that it listed."""
    value = event.value
    if isinstance(value, Sequence) and not isinstance(value, str):
        found = [(event.key, one) for one in map(number, value) if one is not None]
        for what in found:
            one.resynced.setdefault(what, event.t)
        return found
    last = number(value)
    if last is not None:
        numbers, when = one.offered.setdefault(event.key, ([], []))
        if not numbers or last > numbers[-1]:
            numbers.append(last)
            when.append(event.t)
    return ()
