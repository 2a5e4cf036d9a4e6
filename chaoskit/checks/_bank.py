"""What a history of transfers says: every good read of all balances, and where the money can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chaoskit.checks._operations import name, number, pairs
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
    low, high = dict(first), dict(first)
    for begin, end in pairs(events, ("transfer",)):
        value = begin.value
        if (end is not None and end.type == "fail") or not isinstance(value, Mapping):
            continue
        amount = number(value.get("amount"))
        if amount is None:
            continue
        done = end is not None and end.type == "ok"
        for account, change in ((value.get("from"), -amount), (value.get("to"), amount)):
            known = name(account)
            if done or change < 0:
                low[known] = low.get(known, 0) + change
            if done or change > 0:
                high[known] = high.get(known, 0) + change
    return {account: Range(low[account], high.get(account, low[account])) for account in low}
