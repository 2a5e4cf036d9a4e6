"""What a history of a `set` workload says about the data: one linear pass, after Jepsen's `set`.

Every add stores one value of its own; `read` returns all values through the app and `truth`
straight from the store. Each is a *view*. An element is compared as text, because an id is a number
in JSON and may be text in SQL. A *final* read is a good one, invoked after the last add had ended.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chaoskit.checks._enough import Need
from chaoskit.checks._operations import name as element
from chaoskit.checks._operations import ordered as in_order
from chaoskit.records import Event, Json

VIEWS = ("read", "truth")


def is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


NEED = Need(writes=("add",), reads=VIEWS, final=True, saw=is_list)
SEEN = Need(
    writes=("add",), reads=VIEWS, final=True, saw=lambda value: bool(value) and is_list(value)
)


Outcome = Literal["ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Add:
    """One add, in run-clock seconds; without a completion it is `info`: it may have happened."""

    element: str
    invoked: float
    ended: float
    outcome: Outcome
    error: str | None


@dataclass(slots=True)
class Adds:
    """The adds of a history. It refers to the events instead of copying them: there are many."""

    invoked: dict[int, Event] = field(default_factory=dict)  # by operation id
    completed: dict[int, Event] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)  # by element
    ok: set[int] = field(default_factory=set)
    fail: set[int] = field(default_factory=set)

    def outcome(self, number: int) -> Outcome:
        return "ok" if number in self.ok else "fail" if number in self.fail else "info"

    def add(self, name: str) -> Add | None:
        """Return the add of an element, None when there was none."""
        number = self.ids.get(name)
        if number is None:
            return None
        begin = self.invoked[number]
        end = self.completed.get(number, begin)
        return Add(name, begin.t, end.t, self.outcome(number), end.error)

    def ended(self, outcome: Outcome) -> frozenset[str]:
        """Return the elements whose add ended so."""
        if outcome == "info":
            return frozenset(self.ids) - self.ended("ok") - self.ended("fail")
        numbers = self.ok if outcome == "ok" else self.fail
        if not numbers:
            return frozenset()
        return frozenset(name for name, number in self.ids.items() if number in numbers)

    def spans(self, outcome: Outcome | None = None) -> Iterator[tuple[float, float]]:
        """Yield when each add, or each that ended so, was invoked and ended."""
        for number in self.ids.values():
            if outcome is None or self.outcome(number) == outcome:
                begin = self.invoked[number]
                yield begin.t, self.completed.get(number, begin).t

    def settle_repeats(self) -> None:
        """Let the best outcome count where one value was added more than once."""
        if len(self.ids) == len(self.invoked):
            return
        rank = {"fail": 0, "info": 1, "ok": 2}
        for number in sorted(self.invoked, key=lambda number: rank[self.outcome(number)]):
            self.ids[element(self.invoked[number].value)] = number


@dataclass(slots=True)
class View:
    """What one view showed. `final` holds the elements of each final read, oldest first.

    `duplicated` says how often one read held an element, at most, and `duplicated_at` when that was
    first seen; `unexplained_at` when an element was first read that no add explains.
    """

    name: str
    final: list[frozenset[str]] = field(default_factory=list)
    duplicated: dict[str, int] = field(default_factory=dict)
    duplicated_at: dict[str, float] = field(default_factory=dict)
    unexplained_at: dict[str, float] = field(default_factory=dict)


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
    """The adds, the views by name, and whether a read came before the first add."""

    adds: Adds
    views: Mapping[str, View]
    read_before_adds: bool

    def _last_reads(self) -> dict[str, frozenset[str]]:
        return {view.name: view.final[-1] for view in self.views.values() if view.final}

    def lost(self) -> list[Lost]:
        """Return every acknowledged add that some view lost, in the order of acknowledgement."""
        acknowledged = self.adds.ended("ok")
        missing = {name: acknowledged - last for name, last in self._last_reads().items()}
        found = []
        for gone in frozenset().union(*missing.values()):
            add = self.adds.add(gone)
            if add is not None:
                absent = {
                    name: self._absent(name, gone) for name in missing if gone in missing[name]
                }
                present = tuple(name for name in missing if gone not in missing[name])
                found.append(Lost(add, absent, present))
        return sorted(found, key=lambda lost: (lost.add.ended, lost.add.element))

    def _absent(self, view: str, name: str) -> tuple[int, int]:
        final = self.views[view].final
        return sum(name not in read for read in final), len(final)

    def unanswered(self) -> tuple[int, int]:
        """Return how many `info` adds are in some last final read, and how many there are."""
        adds = self.adds.ended("info")
        return len(adds & self.stored()), len(adds)

    def stored(self) -> frozenset[str]:
        """Return the elements that the last final reads hold."""
        return frozenset().union(*self._last_reads().values())


def elements(values: Sequence[Json]) -> list[str]:
    """Return the elements of one read; whole numbers and text, the usual case, take a fast way."""
    if set(map(type, values)) <= {int, str}:
        return list(map(str, values))
    return [element(value) for value in values]


def set_history(events: Sequence[Event]) -> SetHistory:
    """Analyse the history of one `set` workload; linear in the events and the elements read."""
    ordered = in_order(events)
    adds, first_add, last_add, reads = _split(ordered)
    views: dict[str, View] = {}
    invoked: dict[int, int] = {}
    initial: set[str] = set()
    early = False
    refused = adds.ended("fail")
    for position in reads:
        event = ordered[position]
        view = views.setdefault(event.op, View(event.op))
        if event.type == "invoke":
            invoked[event.id] = position
            continue
        start = invoked.get(event.id, -1)
        value = event.value
        if event.type != "ok" or not isinstance(value, Sequence) or isinstance(value, str):
            continue
        found = elements(value)
        distinct = frozenset(found)
        if len(distinct) < len(found):
            _note_duplicates(view, found, event.t)
        if start < first_add:
            early = True
            initial |= distinct
        for stranger in itertools.chain(distinct.difference(adds.ids), distinct & refused):
            if stranger not in initial:
                view.unexplained_at.setdefault(stranger, event.t)
        if start > last_add:
            view.final.append(distinct)
    for view in views.values():  # an initial read of one view explains what another one shows
        for known in initial & view.unexplained_at.keys():
            del view.unexplained_at[known]
    return SetHistory(adds, views, early)


def _split(ordered: Sequence[Event]) -> tuple[Adds, int, int, list[int]]:
    """Return the adds, the positions of their first and last event, and those of the reads."""
    adds = Adds()
    invoked, completed, ids, ok, fail = adds.invoked, adds.completed, adds.ids, adds.ok, adds.fail
    first, last = len(ordered), -1
    reads: list[int] = []
    for position, event in enumerate(ordered):
        if event.op == "add":
            last = position
            if event.type == "invoke":
                invoked[event.id] = event
                ids[element(event.value)] = event.id
            elif event.id in invoked:
                completed[event.id] = event
                if event.type == "ok":
                    ok.add(event.id)
                elif event.type == "fail":
                    fail.add(event.id)
        elif event.op in VIEWS:
            reads.append(position)
    if invoked:
        first = next(n for n, event in enumerate(ordered) if event.op == "add")
    adds.settle_repeats()
    return adds, first, last, reads


def _note_duplicates(view: View, found: Sequence[str], t: float) -> None:
    for name, times in Counter(found).items():
        if times > 1:
            view.duplicated[name] = max(times, view.duplicated.get(name, 0))
            view.duplicated_at.setdefault(name, t)
