"""What a history of transfers says: every good read of all balances, and where the money can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from chaoskit.checks._operations import name, number
from chaoskit.records import Event, Json

VIEWS = ("read", "truth")


class Snapshot(NamedTuple):
    """One good read of all balances; `early` says that it ended before the first transfer began."""

    begin: Event
    end: Event
    balances: Mapping[str, float]
    early: bool


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
                yield Snapshot(begin, event, held, early)


def ranges(events: Sequence[Event], first: Mapping[str, float]) -> dict[str, Range]:
    """Return what each account may hold once all transfers have ended."""
    sure = dict(first)
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
        elif event.type == "ok":
            for account, change in _changes(value):
                sure[account] = sure.get(account, 0) + change
    low, high = dict(sure), dict(sure)
    for value in [*doubtful, *pending.values()]:
        for account, change in _changes(value):
            bound = low if change < 0 else high
            bound[account] = bound.get(account, 0) + change
    accounts = low.keys() | high.keys()
    return {account: Range(low.get(account, 0), high.get(account, 0)) for account in accounts}


def _changes(value: Json) -> Sequence[tuple[str, float]]:
    """Return what a transfer takes from one account and gives to another."""
    if not isinstance(value, Mapping):
        return ()
    amount = number(value.get("amount"))
    if amount is None:
        return ()
    source, target = value.get("from"), value.get("to")
    return (
        (source if type(source) is str else name(source), -amount),
        (target if type(target) is str else name(target), amount),
    )
