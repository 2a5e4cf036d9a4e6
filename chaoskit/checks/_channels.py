"""What a history of events says: what was published, and what every subscriber came to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chaoskit.checks._operations import number, pairs
from chaoskit.checks._zones import Value, frozen
from chaoskit.records import Event


@dataclass(frozen=True, slots=True)
class Published:
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

    `received` holds (t, channel, number); `known` when it first knew of (channel, number);
    `offered` holds (t, channel or None for all, number): all up to that number is known then.
    """

    process: int
    connections: list[Connection] = field(default_factory=list)
    channels: set[Value] = field(default_factory=set)
    hears_all: bool = False
    received: list[tuple[float, Value, float]] = field(default_factory=list)
    known: dict[tuple[Value, float], float] = field(default_factory=dict)
    offered: list[tuple[float, Value, float]] = field(default_factory=list)

    def follows(self, channel: Value) -> bool:
        """Say whether it is on a channel: subscribed without a name or by it, or received from."""
        return self.hears_all or channel in self.channels

    def connected(self, t: float) -> bool:
        return any(c.start <= t and (c.end is None or t <= c.end) for c in self.connections)

    def known_at(self, message: Published) -> float | None:
        """Return when it first knew of a message, by receiving it or by a resync."""
        times = [t for t, channel, upto in self.offered if self._covers(channel, upto, message)]
        for channel in (message.channel, None):
            at = self.known.get((channel, message.number))
            if at is not None:
                times.append(at)
        return min(times, default=None)

    @staticmethod
    def _covers(channel: Value, upto: float, message: Published) -> bool:
        return channel in (None, message.channel) and message.number <= upto


@dataclass(slots=True)
class Channels:
    """All acknowledged messages in the order of acknowledgement, all subscribers, and the end."""

    published: list[Published]
    subscribers: list[Subscriber]
    end: float


def channels(events: Sequence[Event]) -> Channels:
    """Analyse a history in order of time."""
    published = []
    for begin, end in pairs(events, ("publish",)):
        numbered = number(begin.value)
        if end is not None and end.type == "ok" and numbered is not None:
            published.append(Published(frozen(begin.key), numbered, begin, end))
    subscribers: dict[int, Subscriber] = {}
    for event in events:
        if event.op in ("subscribe", "receive", "resync"):
            one = subscribers.get(event.process)
            if one is None:
                one = subscribers[event.process] = Subscriber(event.process)
            _tell(one, event)
    last = events[-1].t if events else 0.0
    return Channels(published, [one for one in subscribers.values() if one.connections], last)


def _tell(one: Subscriber, event: Event) -> None:
    channel = frozen(event.key)
    if event.op == "subscribe":
        if event.type == "ok":
            if one.connections and one.connections[-1].end is None:
                one.connections[-1].end = event.t
            one.connections.append(Connection(event.t))
            one.channels.add(channel)
            one.hears_all |= event.key is None
        elif event.type != "invoke" and one.connections and one.connections[-1].end is None:
            one.connections[-1].end = event.t
    elif event.type != "ok":
        return
    elif event.op == "receive":
        numbered = number(event.value)
        if numbered is None:
            return
        if not one.connections:
            one.connections.append(Connection(event.t))
        one.channels.add(channel)
        one.received.append((event.t, channel, numbered))
        one.known.setdefault((channel, numbered), event.t)
    else:
        _resynced(one, event, channel)


def _resynced(one: Subscriber, event: Event, channel: Value) -> None:
    value = event.value
    if isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            numbered = number(item)
            if numbered is not None:
                one.known.setdefault((channel, numbered), event.t)
        return
    last = number(value)
    if last is not None:
        one.offered.append((event.t, channel, last))
