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
from chaoskit.text import listed

VIEWS = ("read", "truth")

_INTEGERS = {int}  # and not booleans
_parts = itemgetter("from", "to", "amount")


# One good read of all balances: its events, the balances, whether it ended before the first
# transfer began, and whether it began after the last had ended. A plain tuple: there are many.
Snapshot: TypeAlias = tuple[Event, Event, Mapping[str, float], bool, bool]
# Transfers as (from, to, amount): equal ones are counted together, there are few of them.
Transfers: TypeAlias = Mapping[tuple[Json, Json, Json], int]


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


class Bank:
    """A history of transfers: its good reads as they ended, and what the transfers asked for."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.reads: list[Snapshot] = []
        asked: dict[int, Json] = {}  # by transfers without an answer until now
        done: list[Json] = []
        pending: dict[int, Event] = {}
        late: set[int] = set()
        last = next((event for event in reversed(events) if event.op == "transfer"), None)
        early, ended = True, last is None
        for event in events:
            kind = event.type
            if event.op == "transfer":
                early = False
                ended = event is last
                if kind == "invoke":
                    asked[event.id] = event.value
                elif kind == "ok":
                    done.append(asked.pop(event.id, None))
                elif kind == "fail":
                    asked.pop(event.id, None)
            elif event.op in VIEWS:
                if kind == "invoke":
                    pending[event.id] = event
                    if ended:
                        late.add(event.id)
                    continue
                begin = pending.pop(event.id, None)
                held = balances(event.value) if kind == "ok" else None
                if begin is not None and held is not None:
                    final = ended and event.id in late
                    self.reads.append((begin, event, held, early, final))
        self.done = _alike(done)
        self.doubtful = _alike(list(asked.values()))

    def foreign_accounts(self, workload: str) -> str | None:
        """Return that a view never shows accounts that money was moved between, if one does not."""
        touched = {name(account): None for both in self.done for account in both[:2]}
        for view in VIEWS:
            shown = (read[2] for read in self.reads if read[1].op == view)
            first = next(shown, touched)
            missing = [account for account in touched if account not in first]
            seen = set(first)
            while missing and (held := next(shown, None)) is not None:
                seen.update(held)
                missing = [account for account in missing if account not in held]
            if missing:
                return (
                    f"workload `{workload}`: `{view}` never shows {listed(missing, 3)} of the "
                    f"{len(touched)} accounts that money was moved between; it shows "
                    f"{listed(sorted(seen), 3)}"
                )
        return None


def ranges(bank: Bank, first: Mapping[str, float]) -> dict[str, Range]:
    """Return what each account may hold once all transfers have ended."""
    sure = dict(first)
    for account, change in _changes(bank.done):
        sure[account] = sure.get(account, 0) + change
    low, high = dict(sure), dict(sure)
    for account, change in _changes(bank.doubtful):
        bound = low if change < 0 else high
        bound[account] = bound.get(account, 0) + change
    accounts = low.keys() | high.keys()
    return {account: Range(low.get(account, 0), high.get(account, 0)) for account in accounts}


def _alike(transfers: Sequence[Json]) -> Transfers:
    try:
        return Counter(map(_parts, cast("Sequence[Mapping[str, Json]]", transfers)))
    except (KeyError, TypeError):  # some of them are no transfers
        return Counter(map(_named, filter(_is_transfer, transfers)))


def _changes(transfers: Transfers) -> Iterator[tuple[str, float]]:
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
