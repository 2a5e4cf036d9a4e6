"""What a history of events says: what was published, and what every subscriber came to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from chaoskit.checks._operations import number
from chaoskit.checks._zones import Value, frozen
from chaoskit.records import Event

_HEARING = frozenset({"subscribe", "receive", "resync"})

# When a subscriber got which message: of which channel, with which number.
Heard: TypeAlias = tuple[float, tuple[Value, float]]


class Published(NamedTuple):
    """One acknowledged message: its channel and number, its invocation and acknowledgement."""

    channel: Value
    number: float
    begin: Event
    end: Event


@dataclass(slots=True)
class Connection:
    """From when to when a subscriber was connected; `end` is None while it lasts."""

    start: float
    end: float | None = None


@dataclass(slots=True)
class Subscriber:
    """One subscriber: its connections, what it received in order, what resyncs offered.

    `received` holds (t, (channel, number)), `repeated` those of them that it had received before.
    `heard` says when it first received (channel, number), `resynced` when a resync returned it.
    `offered` holds (t, channel or None for all, number): all up to that number is known then.
    `turned_away` says that it tried to come back after its last connection, and could not.
    """

    process: int
    connections: list[Connection] = field(default_factory=list)
    channels: set[Value] = field(default_factory=set)
    hears_all: bool = False
    received: list[Heard] = field(default_factory=list)
    repeated: list[Heard] = field(default_factory=list)
    heard: dict[tuple[Value, float], float] = field(default_factory=dict)
    resynced: dict[tuple[Value, float], float] = field(default_factory=dict)
    offered: list[tuple[float, Value, float]] = field(default_factory=list)
    turned_away: bool = False

    def follows(self, channel: Value) -> bool:
        """Say whether it is on a channel: subscribed without a name or by it, or received from."""
        return self.hears_all or channel in self.channels

    def fresh(self) -> Sequence[Heard]:
        """Return what it received, without the repetitions."""
        if not self.repeated:
            return self.received
        again = {id(one) for one in self.repeated}
        return [one for one in self.received if id(one) not in again]

    def connected(self, t: float) -> bool:
        return any(c.start <= t and (c.end is None or t <= c.end) for c in self.connections)

    def known_at(self, message: Published) -> float | None:
        """Return when it first knew of a message, by receiving it or by a resync."""
        what = (message.channel, message.number)
        found = self.heard.get(what)
        if not self.resynced and not self.offered:
            return found
        times = [self.resynced.get(what), self.resynced.get((None, message.number)), found]
        times += [t for t, channel, upto in self.offered if self._covers(channel, upto, message)]
        return min((t for t in times if t is not None), default=None)

    @staticmethod
    def _covers(channel: Value, upto: float, message: Published) -> bool:
        return channel in (None, message.channel) and message.number <= upto


@dataclass(slots=True)
class Channels:
    """All subscribers, and what was published.

    `sent` says between which places of the history a message was published; the second is None
    where it was never acknowledged. `unheard` names the processes that never got a connection.
    """

    events: Sequence[Event]
    subscribers: list[Subscriber]
    sent: dict[tuple[Value, float], tuple[int, int | None]]
    unheard: list[int]

    @property
    def end(self) -> float:
        """The end of the history."""
        return self.events[-1].t if self.events else 0.0

    def published(self) -> list[Published]:
        """Return the acknowledged messages in the order of acknowledgement."""
        events = self.events
        ended = [(end, what, begin) for what, (begin, end) in self.sent.items() if end is not None]
        ended.sort(key=itemgetter(0))
        return [Published(*what, events[begin], events[end]) for end, what, begin in ended]


def channels(events: Sequence[Event]) -> Channels:
    """Analyse a history in order of time."""
    pending: dict[int, tuple[Value, float]] = {}
    sent: dict[tuple[Value, float], tuple[int, int | None]] = {}
    subscribers: dict[int, Subscriber] = {}
    for place, event in enumerate(events):
        op, type_ = event.op, event.type
        if op == "publish":
            if type_ == "invoke":
                numbered = event.value if type(event.value) is int else number(event.value)
                if numbered is not None:
                    what = (event.key if type(event.key) is str else frozen(event.key), numbered)
                    pending[event.id] = what
                    sent.setdefault(what, (place, None))
            elif type_ != "info" and event.id in pending:
                what = pending.pop(event.id)
                if type_ == "fail":
                    sent.pop(what, None)
                else:
                    sent[what] = (sent[what][0] if what in sent else place, place)
        elif type_ != "invoke" and op in _HEARING:
            one = subscribers.get(event.process)
            if one is None:
                one = subscribers[event.process] = Subscriber(event.process)
            key = event.key
            channel: Value = key if type(key) is str else frozen(key)
            if op != "receive":
                _tell(one, event, channel)
            elif type_ == "ok":
                numbered = event.value if type(event.value) is int else number(event.value)
                if numbered is not None:
                    _received(one, event.t, channel, numbered)
    connected = [one for one in subscribers.values() if one.connections]
    unheard = [one.process for one in subscribers.values() if not one.connections]
    return Channels(events, connected, sent, unheard)


def _tell(one: Subscriber, event: Event, channel: Value) -> None:
    """Take note of a resync, or of the begin or the end of a connection."""
    if event.op == "resync":
        if event.type == "ok":
            _resynced(one, event, channel)
    elif event.type == "ok":
        if one.connections and one.connections[-1].end is None:
            one.connections[-1].end = event.t
        one.connections.append(Connection(event.t))
        one.channels.add(channel)
        one.hears_all |= event.key is None
        one.turned_away = False
    elif one.connections and one.connections[-1].end is None:
        one.connections[-1].end = event.t
    else:
        one.turned_away = True


def _received(one: Subscriber, t: float, channel: Value, numbered: float) -> None:
    what = (channel, numbered)
    received = (t, what)
    one.received.append(received)
    if what in one.heard:
        one.repeated.append(received)
        return
    one.heard[what] = t
    if channel not in one.channels or not one.connections:
        one.channels.add(channel)
        if not one.connections:
            one.connections.append(Connection(t))


def _resynced(one: Subscriber, event: Event, channel: Value) -> None:
    value = event.value
    if isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            numbered = number(item)
            if numbered is not None:
                one.resynced.setdefault((channel, numbered), event.t)
        return
    last = number(value)
    if last is not None:
        one.offered.append((event.t, channel, last))
