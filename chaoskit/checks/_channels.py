"""What a history of events says: what was published, and what every subscriber came to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaoskit.checks._operations import number
from chaoskit.checks._zones import Value, frozen
from chaoskit.records import Event


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

    `received` holds (t, channel, number), `repeated` those of them that it had received before.
    `heard` says when it first received (channel, number), `resynced` when a resync returned it.
    `offered` holds (t, channel or None for all, number): all up to that number is known then.
    """

    process: int
    connections: list[Connection] = field(default_factory=list)
    channels: set[Value] = field(default_factory=set)
    hears_all: bool = False
    received: list[tuple[float, Value, float]] = field(default_factory=list)
    repeated: list[tuple[float, Value, float]] = field(default_factory=list)
    heard: dict[tuple[Value, float], float] = field(default_factory=dict)
    resynced: dict[tuple[Value, float], float] = field(default_factory=dict)
    offered: list[tuple[float, Value, float]] = field(default_factory=list)

    def follows(self, channel: Value) -> bool:
        """Say whether it is on a channel: subscribed without a name or by it, or received from."""
        return self.hears_all or channel in self.channels

    def fresh(self) -> Sequence[tuple[float, Value, float]]:
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
    """All acknowledged messages in the order of acknowledgement, all subscribers, and the end."""

    published: list[Published]
    subscribers: list[Subscriber]
    end: float


def channels(events: Sequence[Event]) -> Channels:
    """Analyse a history in order of time."""
    published = []
    pending: dict[int, Event] = {}
    subscribers: dict[int, Subscriber] = {}
    for event in events:
        if event.op == "publish":
            if event.type == "invoke":
                pending[event.id] = event
            elif event.type == "ok" and event.id in pending:
                begin = pending.pop(event.id)
                numbered = number(begin.value)
                if numbered is not None:
                    published.append(Published(frozen(begin.key), numbered, begin, event))
        elif event.type == "invoke":
            continue
        elif event.op in ("subscribe", "receive", "resync"):
            one = subscribers.get(event.process)
            if one is None:
                one = subscribers[event.process] = Subscriber(event.process)
            _tell(one, event)
    last = events[-1].t if events else 0.0
    return Channels(published, [one for one in subscribers.values() if one.connections], last)


def _tell(one: Subscriber, event: Event) -> None:
    key = event.key
    channel: Value = key if type(key) is str else frozen(key)
    if event.op == "receive":
        value = event.value
        numbered = value if type(value) is int else number(value)
        if event.type == "ok" and numbered is not None:
            _received(one, event.t, channel, numbered)
    elif event.op == "resync":
        if event.type == "ok":
            _resynced(one, event, channel)
    elif event.type == "ok":
        if one.connections and one.connections[-1].end is None:
            one.connections[-1].end = event.t
        one.connections.append(Connection(event.t))
        one.channels.add(channel)
        one.hears_all |= key is None
    elif one.connections and one.connections[-1].end is None:
        one.connections[-1].end = event.t


def _received(one: Subscriber, t: float, channel: Value, numbered: float) -> None:
    if not one.connections:
        one.connections.append(Connection(t))
    one.channels.add(channel)
    what = (channel, numbered)
    received = (t, channel, numbered)
    one.received.append(received)
    if what in one.heard:
        one.repeated.append(received)
    else:
        one.heard[what] = t


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
