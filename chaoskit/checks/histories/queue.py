"""What a history of a queue says: what was sent, what was delivered, how often, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chaoskit.checks._coverage import Need
from chaoskit.checks.histories.operations import Element, element
from chaoskit.records import Event, Json

DELIVERING = ("receive", "drain")
NEED = Need(writes=("send",), reads=DELIVERING)
# And something came out.
SEEN = replace(NEED, saw=lambda value: value not in (None, []), after_begun=True)
OPEN = -1  # the place of a completion that never came

# A delivery: the places of its invocation and completion in the history, and the place in its list.
Delivery: TypeAlias = tuple[int, int, int]


@dataclass(slots=True)
class QueueHistory:
    """The sends by value, the deliveries by value, and what was left in doubt.

    `sent` holds the places of the invocation and of the completion. `doubtful` counts the receives
    without an answer, of those that had begun before the queue was seen empty; `batch` is
    the most that one receive returned, both by operation. `emptied_at` is the place of the first
    operation after the last send that got nothing.
    """

    events: Sequence[Event]
    sent: dict[Element, tuple[int, int]] = field(default_factory=dict)
    delivered: dict[Element, Delivery] = field(default_factory=dict)  # the first of each value
    repeated: list[tuple[Element, Delivery]] = field(default_factory=list)  # all others
    doubtful: Counter[str] = field(default_factory=Counter)
    batch: dict[str, int] = field(default_factory=dict)
    last_send: int = OPEN
    emptied_at: int | None = None

    def acknowledged(self) -> Mapping[Element, Event]:
        """Return when each acknowledged value was acknowledged, as the event."""
        events = self.events
        return {
            value: events[end]
            for value, (_, end) in self.sent.items()
            if end != OPEN and events[end].type == "ok"
        }

    def unanswered(self) -> list[Element]:
        """Return the values whose send had no clear answer."""
        events = self.events
        return [
            value
            for value, (_, end) in self.sent.items()
            if end == OPEN or events[end].type == "info"
        ]

    def received_at(self) -> list[float]:
        """Return when each message was first received."""
        return [self.events[end].t for _, end, _ in self.delivered.values()]

    def may_have_taken(self) -> float:
        """Return how many messages the receives without a clear answer may have taken away.

        Each may have taken as many as any other did; a `drain` may have taken all there were.
        """
        if self.doubtful["drain"]:
            return float("inf")
        return sum(many * self.batch.get(op, 1) for op, many in self.doubtful.items())

    def ended(self, value: Element) -> Event | None:
        """Return the completion of the send of a value."""
        end = self.sent[value][1]
        return None if end == OPEN else self.events[end]


def queue_history(events: Sequence[Event]) -> QueueHistory:  # noqa: PLR0912  # one loop
    """Analyse a history in order of time; linear."""
    history = QueueHistory(events)
    sent = history.sent
    pending: dict[int, int] = {}
    doubtful: list[int] = []
    take = pending.pop
    for place, event in enumerate(events):
        op = event.op
        if event.type == "invoke":
            pending[event.id] = place
            if op == "send":
                history.emptied_at, history.last_send = None, place
            continue
        begin = take(event.id, None)
        if begin is None:
            continue
        if op == "send":
            history.emptied_at, history.last_send = None, place
            raw = events[begin].value
            value = raw if type(raw) is int else element(raw)
            if value not in sent or _better(events, event, sent[value]):
                sent[value] = (begin, place)
        elif op in DELIVERING:
            if event.type == "ok":
                _deliver(history, event, begin, place)
            elif event.type == "info" and not _gave_nothing(event.error):
                doubtful.append(begin)
    emptied = history.emptied_at
    for begin in [*doubtful, *(n for n in pending.values() if events[n].op in DELIVERING)]:
        if emptied is None or begin < emptied:
            history.doubtful[events[begin].op] += 1
    for begin in pending.values():
        value = element(events[begin].value)
        if events[begin].op == "send":
            known = sent.get(value)
            if known is None or (known[1] != OPEN and events[known[1]].type == "fail"):
                sent[value] = (begin, OPEN)
    return history


def _gave_nothing(error: str | None) -> bool:
    """Return whether a receive without a message was answered by the app: with an error status.

    Then nobody was given a message, and one that the app took is lost. A gateway that gave up on
    the app (502, 504) does not know what that did.
    """
    return (error or "").startswith("status ") and error not in ("status 502", "status 504")


def _deliver(history: QueueHistory, event: Event, begin: int, end: int) -> None:
    value, delivered = event.value, history.delivered
    if type(value) is int:
        got: Sequence[Element] = (value,)
    else:
        got = values(value)
        if not got:
            if begin > history.last_send and history.emptied_at is None:
                history.emptied_at = end
            return
        history.batch[event.op] = max(len(got), history.batch.get(event.op, 1))
    for place, one in enumerate(got):
        if one in delivered:
            history.repeated.append((one, (begin, end, place)))
        else:
            delivered[one] = (begin, end, place)


def _better(events: Sequence[Event], end: Event, known: tuple[int, int]) -> bool:
    """Return whether a send of the same value ended better than the one before."""
    rank = {"fail": 0, "info": 1, "ok": 2}
    return rank[end.type] > rank[events[known[1]].type]


def values(value: Json) -> list[Element]:
    """Return what one receive handed over: nothing, one value, or the values of a list."""
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [element(one) for one in value]
    return [element(value)]
