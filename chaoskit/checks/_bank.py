"""What a history of transfers says: every good read of all balances, and where the money can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from chaoskit.checks._operations import name, number
from chaoskit.records import Event, Json

VIEWS = ("read", "truth")


# One good read of all balances: its events, the balances, and whether it ended before the first
# transfer began. A plain tuple, because there are many.
Snapshot: TypeAlias = tuple[Event, Event, Mapping[str, float], bool]


@dataclass(frozen=True, slots=True)
class Range:
    """What an account may hold in the end: the acknowledged transfers, with and without doubt."""

    low: float
    high: float


def balances(value: Json) -> Mapping[str, float] | None:
    """Return the balances of one read by account; None when it is not a mapping of numbers."""
    if not isinstance(value, Mapping):
        return None
    if value and set(map(type, value.values())) == {int}:
        return cast("Mapping[str, float]", value)
    found = {}
    for account, held in value.items():
        amount = held if type(held) is int else number(held)
        if amount is None:
            return None
        found[account] = amount
    return found or None


def saw(value: Json) -> bool:
    return balances(value) is not None


def snapshots(events: Sequence[Event]) -> Iterator[Snapshot]:
    """Yield the good reads, as they end."""
    pending: dict[int, Event] = {}
    early = True
    for event in events:
        if event.op == "transfer":
            early = False
        elif event.op in VIEWS:
            if event.type == "invoke":
                pending[event.id] = event
                continue
            begin = pending.pop(event.id, None)
            held = balances(event.value) if event.type == "ok" else None
            if begin is not None and held is not None:
                yield begin, event, held, early


def ranges(  # noqa: PLR0912  # one loop, for speed
    events: Sequence[Event], first: Mapping[str, float]
) -> dict[str, Range]:
    """Return what each account may hold once all transfers have ended."""
    moved: dict[tuple[Json, Json], float] = {}  # from whom to whom, acknowledged
    pending: dict[int, Json] = {}
    doubtful: list[Json] = []
    for event in events:
        if event.op != "transfer":
            continue
        if event.type == "invoke":
            pending[event.id] = event.value
            continue
        value = pending.pop(event.id, None)
        if event.type == "info":
            doubtful.append(value)
        elif event.type == "ok" and isinstance(value, Mapping):
            amount = value.get("amount")
            if type(amount) is not int:
                amount = number(amount)
            source, target = value.get("from"), value.get("to")
            if type(source) is not str or type(target) is not str:
                source, target = name(source), name(target)
            if amount is not None:
                way = (source, target)
                moved[way] = moved.get(way, 0) + amount
    sure = dict(first)
    for (source, target), amount in moved.items():
        for account, change in _changes(source, target, amount):
            sure[account] = sure.get(account, 0) + change
    low, high = dict(sure), dict(sure)
    for value in [*doubtful, *pending.values()]:
        if isinstance(value, Mapping):
            amount = number(value.get("amount"))
            for account, change in _changes(value.get("from"), value.get("to"), amount):
                bound = low if change < 0 else high
                bound[account] = bound.get(account, 0) + change
    accounts = low.keys() | high.keys()
    return {account: Range(low.get(account, 0), high.get(account, 0)) for account in accounts}


def _changes(source: Json, target: Json, amount: float | None) -> Sequence[tuple[str, float]]:
    """Return what a transfer takes from one account and gives to another."""
    return () if amount is None else ((name(source), -amount), (name(target), amount))
