"""What a history of a `set` workload says about the data: one linear pass, after Jepsen's `set`.

Every add stores one value of its own; `read` returns all values through the app and `truth`
straight from the store. Each is a *view*. An element is compared as text, because an id is a number
in JSON and may be text in SQL. A *final* read is a good one, invoked after the last add had ended.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from chaoskit.records import Event, FaultWindow, Json

VIEWS = ("read", "truth")


@dataclass(slots=True)
class Add:
    """One add, in run-clock seconds; without a completion it is `info`: it may have happened."""

    element: str
    invoked: float
    ended: float
    outcome: Literal["ok", "fail", "info"] = "info"
    error: str | None = None


@dataclass(slots=True)
class View:
    """What one view showed. `final` holds the elements of each final read, oldest first.

    `duplicated` says how often one read held an element, at most, and `duplicated_at` when that was
    first seen; `unexplained_at` when an element was first read that no add explains. `error` is the
    one of the last read after the adds, if it did not succeed.
    """

    name: str
    final: list[frozenset[str]] = field(default_factory=list)
    duplicated: dict[str, int] = field(default_factory=dict)
    duplicated_at: dict[str, float] = field(default_factory=dict)
    unexplained_at: dict[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """An acknowledged add whose element the last final read of `absent` does not hold.

    `absent` and `present` say per view how many of its final reads miss it and how many there are.
    """

    add: Add
    absent: Mapping[str, tuple[int, int]]
    present: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetHistory:
    """Adds by element, views by name, and whether a read came before the first add."""

    adds: Mapping[str, Add]
    views: Mapping[str, View]
    read_before_adds: bool

    def ended(self, outcome: str) -> list[Add]:
        return [add for add in self.adds.values() if add.outcome == outcome]

    def lost(self) -> list[Lost]:
        """Return every acknowledged add that some view lost, in the order of acknowledgement."""
        finals = [view for view in self.views.values() if view.final]
        found = []
        for add in self.ended("ok"):
            missing = {
                view.name: (sum(add.element not in read for read in view.final), len(view.final))
                for view in finals
                if add.element not in view.final[-1]
            }
            if missing:
                present = tuple(view.name for view in finals if view.name not in missing)
                found.append(Lost(add, missing, present))
        return sorted(found, key=lambda lost: lost.add.ended)

    def unanswered(self) -> tuple[int, int]:
        """Return how many `info` adds are in some last final read, and how many there are."""
        last = [view.final[-1] for view in self.views.values() if view.final]
        adds = self.ended("info")
        return sum(any(add.element in read for read in last) for add in adds), len(adds)

    def stored(self) -> int:
        """Return how many different elements the last final reads hold."""
        last = [view.final[-1] for view in self.views.values() if view.final]
        return len(frozenset().union(*last))


def element(value: Json) -> str:
    """Return the text two views agree on: `17`, `17.0` and `"17"` are one element."""
    if type(value) is int:  # the usual case, and not a boolean
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def elements(values: Sequence[Json]) -> list[str]:
    """Return the elements of one read; whole numbers and text, the usual case, take a fast way."""
    if set(map(type, values)) <= {int, str}:
        return list(map(str, values))
    return [element(value) for value in values]


def set_history(events: Iterable[Event]) -> SetHistory:
    """Analyse the history of one `set` workload; linear in the events and the elements read."""
    ordered = sorted(events, key=attrgetter("t"))  # stable, and linear when in order already
    adds, first_add, last_add, reads = _adds(ordered)
    views: dict[str, View] = {}
    invoked: dict[int, int] = {}
    initial: set[str] = set()
    early = False
    explained = {name for name, add in adds.items() if add.outcome != "fail"}
    for position in reads:
        event = ordered[position]
        view = views.setdefault(event.op, View(event.op))
        if event.type == "invoke":
            invoked[event.id] = position
            continue
        start = invoked.get(event.id, -1)
        value = event.value
        if event.type != "ok" or not isinstance(value, Sequence) or isinstance(value, str):
            if start > last_add:
                view.error = event.error or "the answer was not a list"
            continue
        found = elements(value)
        distinct = frozenset(found)
        if len(distinct) < len(found):
            _note_duplicates(view, found, event.t)
        if start < first_add:
            early = True
            initial |= distinct
        for stranger in distinct - explained - initial:
            view.unexplained_at.setdefault(stranger, event.t)
        if start > last_add:
            view.final.append(distinct)
    for view in views.values():  # an initial read of one view explains what another one shows
        for known in initial & view.unexplained_at.keys():
            del view.unexplained_at[known]
    return SetHistory(adds, views, early)


def _adds(ordered: Sequence[Event]) -> tuple[dict[str, Add], int, int, list[int]]:
    """Return the adds by element, the positions of their first and last event, and of the reads."""
    by_id: dict[int, Add] = {}
    positions: list[int] = []
    reads: list[int] = []
    for position, event in enumerate(ordered):
        if event.op == "add":
            positions.append(position)
            if event.type == "invoke":
                by_id[event.id] = Add(element(event.value), event.t, event.t)
            elif (add := by_id.get(event.id)) is not None:
                add.ended, add.outcome, add.error = event.t, event.type, event.error
        elif event.op in VIEWS:
            reads.append(position)
    adds = {add.element: add for add in by_id.values()}
    if len(adds) < len(by_id):  # a value was added twice: its best outcome counts
        rank = {"fail": 0, "info": 1, "ok": 2}
        for add in sorted(by_id.values(), key=lambda add: rank[add.outcome]):
            adds[add.element] = add
    if not positions:
        return adds, len(ordered), -1, reads
    return adds, positions[0], positions[-1], reads


def _note_duplicates(view: View, found: Sequence[str], t: float) -> None:
    for name, times in Counter(found).items():
        if times > 1:
            view.duplicated[name] = max(times, view.duplicated.get(name, 0))
            view.duplicated_at.setdefault(name, t)


def gap(history: SetHistory, workload: str, faults: Sequence[FaultWindow]) -> str | None:
    """Return why the history proves nothing, with what to change, or None when it does."""
    acknowledged = history.ended("ok")
    what = f"of workload `{workload}`"
    if not history.adds:
        return f"no add {what} was invoked"
    if not acknowledged:
        errors = [add.error for add in history.adds.values() if add.error]
        last = f": {errors[-1]}" if errors else ""
        return f"no add {what} was acknowledged{last}; see its `add` and the statuses in `ok`"
    if not history.views:
        return f"workload `{workload}` never read back what it added"
    for view in history.views.values():
        if not view.final:
            return f"no final read of `{view.name}` succeeded: {view.error or 'none was tried'}"
    return _gap_around(history, what, faults) if faults else None


def _gap_around(history: SetHistory, what: str, faults: Sequence[FaultWindow]) -> str | None:
    """Return which of before, during and after the faults saw no add."""
    acknowledged = history.ended("ok")
    first = min(fault.injected for fault in faults)
    if not any(add.ended <= first for add in acknowledged):
        return f"no add {what} was acknowledged before the first fault; use a longer `baseline`"
    if not any(_overlaps(add, fault) for add in history.adds.values() for fault in faults):
        return f"no add {what} was attempted while a fault was in force; raise its `rate`"
    heals = [fault.healed for fault in faults if fault.healed is not None]
    if len(heals) < len(faults):
        return f"a fault was never healed, so no add {what} came after the faults"
    if not any(add.ended >= max(heals) for add in acknowledged):
        return (
            f"no add {what} was acknowledged after the last heal at {max(heals):.2f} s; "
            "use a longer `settle`, or see why the app did not recover"
        )
    return None


def _overlaps(add: Add, fault: FaultWindow) -> bool:
    return fault.injected <= add.ended and (fault.healed is None or add.invoked <= fault.healed)
