"""What a history of transfers says: every good read of all balances, and where the money can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias, cast

from chaoskit.checks._coverage import Need
from chaoskit.checks.histories.operations import name, number
from chaoskit.records import Event, Json

VIEWS = ("read", "truth")

_INTEGERS = {int}  # and not booleans
_parts = itemgetter("from", "to", "amount")


# One good read of all balances: its events, the balances, whether it ended before the first
# transfer began, and whether it began after the last had ended. A plain tuple: there are many.
Snapshot: TypeAlias = tuple[Event, Event, Mapping[str, float], bool, bool]
# What was asked for by the acknowledged transfers, and by those left in doubt.
# Equal ones, as (from, to, amount), are counted together: there are few of them.
Transfer: TypeAlias = tuple[Json, Json, Json]
Transfers: TypeAlias = tuple[Mapping[Transfer, int], Mapping[Transfer, int]]


@dataclass(frozen=True, slots=True)
class Range:
    """What an account may hold in the end: the acknowledged transfers, with and without doubt."""

    low: float
    high: float


def balances(value: Json) -> Mapping[str, float] | None:
    """Return the balances of one read by account; None when it is not a mapping of numbers."""
    if type(value) is dict and _INTEGERS.issuperset(map(type, value.values())):
        return value or None
    if not isinstance(value, Mapping):
        return None
    found = {}
    for account, held in value.items():
        amount = held if type(held) is int else number(held)
        if amount is None:
            return None
        found[account] = amount
    return found or None


NEED = Need(
    writes=("transfer",), reads=VIEWS, final=True, saw=lambda value: balances(value) is not None
)


def snapshots(events: Sequence[Event]) -> Iterator[Snapshot]:
    """Yield the good reads, as they end."""
    pending: dict[int, Event] = {}
    last = next((event for event in reversed(events) if event.op == "transfer"), None)
    early, ended = True, last is None
    late: set[int] = set()
    for event in events:
        if event.op == "transfer":
            early = False
            ended = event is last
        elif event.op in VIEWS:
            if event.type == "invoke":
                pending[event.id] = event
                if ended:
                    late.add(event.id)
                continue
            begin = pending.pop(event.id, None)
            held = balances(event.value) if event.type == "ok" else None
            if begin is not None and held is not None:
                yield begin, event, held, early, ended and event.id in late


def transfers(events: Sequence[Event]) -> Transfers:
    """Return what the transfers of a history asked for."""
    these = [event for event in events if event.op == "transfer"]
    asked = {event.id: event.value for event in these if event.type == "invoke"}
    done = [asked.pop(event.id, None) for event in these if event.type == "ok"]
    for event in these:
        if event.type == "fail":
            asked.pop(event.id, None)
    return _alike(done), _alike(list(asked.values()))


def ranges(moved: Transfers, first: Mapping[str, float]) -> dict[str, Range]:
    """Return what each account may hold once all transfers have ended."""
    done, doubtful = moved
    sure = dict(first)
    for account, change in _changes(done):
        sure[account] = sure.get(account, 0) + change
    low, high = dict(sure), dict(sure)
    for account, change in _changes(doubtful):
        bound = low if change < 0 else high
        bound[account] = bound.get(account, 0) + change
    accounts = low.keys() | high.keys()
    return {account: Range(low.get(account, 0), high.get(account, 0)) for account in accounts}


def _alike(transfers: Sequence[Json]) -> Mapping[Transfer, int]:
    try:
        return Counter(map(_parts, cast("Sequence[Mapping[str, Json]]", transfers)))
    except (KeyError, TypeError):  # some of them are no transfers
        return Counter(map(_named, filter(_is_transfer, transfers)))


def _changes(transfers: Mapping[Transfer, int]) -> Iterator[tuple[str, float]]:
    """Yield what transfers take from one account and give to another; equal ones together."""
    for (source, target, much), times in transfers.items():
        amount = number(much)
        if amount is not None:
            yield name(source), -amount * times
            yield name(target), amount * times


def _is_transfer(value: Json) -> bool:
    return isinstance(value, Mapping) and number(value.get("amount")) is not None


def _named(value: Json) -> tuple[Json, Json, Json]:
    assert isinstance(value, Mapping)
    return name(value.get("from")), name(value.get("to")), value.get("amount")
