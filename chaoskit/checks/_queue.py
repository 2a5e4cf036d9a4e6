"""What a history of a queue says: what was sent, what was delivered, how often, in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaoskit.checks._operations import name, pairs
from chaoskit.records import Event, Json

DELIVERING = ("receive", "drain")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One value handed over: by which operation, and at which place of its list."""

    begin: Event
    end: Event
    place: int


@dataclass(slots=True)
class QueueHistory:
    """The sends by value, the deliveries by value, and what was left in doubt.

    `emptied` says whether the queue was seen empty after the last send: by an operation that got
    nothing.
    """

    sent: dict[str, tuple[Event, Event | None]] = field(default_factory=dict)
    delivered: dict[str, list[Delivery]] = field(default_factory=dict)
    doubtful_receives: int = 0
    emptied: bool = False

    def acknowledged(self) -> Mapping[str, Event]:
        """Return when each acknowledged value was acknowledged, as the event."""
        return {
            value: end
            for value, (_, end) in self.sent.items()
            if end is not None and end.type == "ok"
        }


def is_queue(events: Sequence[Event]) -> bool:
    return any(event.op == "send" for event in events)


def queue_history(events: Sequence[Event]) -> QueueHistory:
    """Analyse a history in order of time; linear."""
    history = QueueHistory()
    rank = {None: 1, "fail": 0, "info": 1, "ok": 2}
    for begin, end in pairs(events, ("send",)):
        value = name(begin.value)
        known = history.sent.get(value)
        how = end.type if end is not None else None
        if known is None or rank[how] > rank[known[1].type if known[1] else None]:
            history.sent[value] = (begin, end)
    last = max((event.t for event in events if event.op == "send"), default=float("-inf"))
    for begin, end in pairs(events, DELIVERING):
        if end is None or end.type != "ok":
            history.doubtful_receives += end is None or end.type == "info"
            continue
        got = values(end.value)
        if begin.t >= last and not got:
            history.emptied = True
        for place, value in enumerate(got):
            history.delivered.setdefault(value, []).append(Delivery(begin, end, place))
    return history


def values(value: Json) -> list[str]:
    """Return what one receive handed over: nothing, one value, or the values of a list."""
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [name(one) for one in value]
    return [name(value)]
