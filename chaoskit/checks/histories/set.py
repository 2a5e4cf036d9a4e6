"""What a history of a `set` workload says about the data: one linear pass, after Jepsen's `set`.

Every add stores another value; `read` returns all values through the app and `truth`
straight from the store. Each is a *view*. A *final* read is a good one, invoked after the last add
had ended.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from chaoskit.checks._coverage import Need
from chaoskit.checks.histories.operations import Element, element
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

    element: Element
    invoked: float
    ended: float
    outcome: Outcome
    error: str | None


@dataclass(slots=True)
class Adds:
    """The adds of a history by element. It refers to the events: there are many.

    `begun` holds invocations; `ok`, `fail` and `info` completions. What is in none of them never
    ended. Where one value was added more than once, the best outcome counts.
    """

    begun: dict[Element, Event] = field(default_factory=dict)
    ok: dict[Element, Event] = field(default_factory=dict)
    fail: dict[Element, Event] = field(default_factory=dict)
    info: dict[Element, Event] = field(default_factory=dict)

    def add(self, name: Element) -> Add | None:
        """Return the add of an element, None when there was none."""
        begin = self.begun.get(name)
        if begin is None:
            return None
        for outcome, ended in (("ok", self.ok), ("fail", self.fail), ("info", self.info)):
            end = ended.get(name)
            if end is not None:
                return Add(name, begin.t, end.t, cast("Outcome", outcome), end.error)
        return Add(name, begin.t, begin.t, "info", None)

    def doubtful(self) -> set[Element]:
        """Return the elements whose add may have happened or not."""
        return self.begun.keys() - self.ok.keys() - self.fail.keys()


@dataclass(slots=True)
class View:
    """What one view showed. `final` holds the elements of each final read, oldest first.

    `sizes` are how many elements the reads held that began between the first add and the last.
    `duplicated` says how often one read held an element, at most, and `duplicated_at` when that was
    first seen; `unexplained_at` when an element was first read that no add explains.
    """

    name: str
    final: list[frozenset[Element]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    duplicated: dict[Element, int] = field(default_factory=dict)
    duplicated_at: dict[Element, float] = field(default_factory=dict)
    unexplained_at: dict[Element, float] = field(default_factory=dict)


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

    def _last_reads(self) -> dict[str, frozenset[Element]]:
        return {view.name: view.final[-1] for view in self.views.values() if view.final}

    def lost(self) -> list[Lost]:
        """Return every acknowledged add that some view lost, in the order of acknowledgement."""
        acknowledged = self.adds.ok.keys()
        missing = {name: acknowledged - last for name, last in self._last_reads().items()}
        found = []
        for gone in set[Element]().union(*missing.values()):
            add = self.adds.add(gone)
            if add is not None:
                absent = {
                    name: self._absent(name, gone) for name in missing if gone in missing[name]
                }
                present = tuple(name for name in missing if gone not in missing[name])
                found.append(Lost(add, absent, present))
        return sorted(found, key=lambda lost: (lost.add.ended, str(lost.add.element)))

    def _absent(self, view: str, name: Element) -> tuple[int, int]:
        final = self.views[view].final
        return sum(name not in read for read in final), len(final)

    def unanswered(self) -> tuple[int, int]:
        """Return how many `info` adds are in some last final read, and how many there are."""
        adds = self.adds.doubtful()
        return len(adds & self.stored()), len(adds)

    def stored_in(self, start: float, end: float) -> int:
        """Return how many of the stored elements were added, from `start` to `end`."""
        own = self.stored() & self.adds.begun.keys()
        if (start, end) == (float("-inf"), float("inf")):
            return len(own)
        adds = (self.adds.add(name) for name in own)
        return sum(add is not None and start <= add.ended <= end for add in adds)

    def stored(self) -> frozenset[Element]:
        """Return the elements that the last final reads hold."""
        last = list(self._last_reads().values())
        return last[0] if len(last) == 1 else frozenset[Element]().union(*last)


def elements(values: Sequence[Json]) -> Sequence[Element]:
    """Return the elements of one read; whole numbers, the usual case, as they are."""
    if set(map(type, values)) == {int}:
        return cast("Sequence[Element]", values)
    return [element(value) for value in values]


def set_history(events: Sequence[Event]) -> SetHistory:
    """Analyse the history of one `set` workload; linear in the events and the elements read."""
    adds, first_add, last_add, reads = _split(events)
    views: dict[str, View] = {}
    invoked: dict[int, int] = {}
    initial: set[Element] = set()
    early = False
    for position in reads:
        event = events[position]
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
        if start < first_add:  # what was added since then was not there before
            early = True
            initial |= distinct.difference(_added(events[first_add:position]))
        for stranger in itertools.chain(
            distinct.difference(adds.begun), adds.fail.keys() & distinct
        ):
            if stranger not in initial:
                view.unexplained_at.setdefault(stranger, event.t)
        if start > last_add:
            view.final.append(distinct)
        elif start >= first_add:
            view.sizes.append(len(distinct))
    for view in views.values():  # an initial read of one view explains what another one shows
        for known in initial & view.unexplained_at.keys():
            del view.unexplained_at[known]
    return SetHistory(adds, views, early)


def _split(events: Sequence[Event]) -> tuple[Adds, int, int, list[int]]:
    """Return the adds, the positions of their first and last event, and those of the reads."""
    adds = Adds()
    begun, ok = adds.begun, adds.ok
    pending: dict[int, Element] = {}
    take = pending.pop
    reads: list[int] = []
    for position, event in enumerate(events):
        if event.op == "add":
            if event.type == "invoke":
                value = event.value
                name = value if type(value) is int else element(value)
                begun[name] = event
                pending[event.id] = name
                continue
            ended = take(event.id, None)
            if ended is None:
                continue
            if event.type == "ok":
                ok[ended] = event
            else:
                (adds.fail if event.type == "fail" else adds.info)[ended] = event
        elif event.op in VIEWS:
            reads.append(position)
    if adds.fail:
        for name in [*pending.values(), *(adds.fail.keys() & (ok.keys() | adds.info.keys()))]:
            adds.fail.pop(name, None)
    total = len(events)
    first = next((n for n in range(total) if events[n].op == "add"), total)
    last = next((n for n in reversed(range(total)) if events[n].op == "add"), -1)
    return adds, first, last, reads


def _added(events: Sequence[Event]) -> set[Element]:
    return {element(e.value) for e in events if e.op == "add" and e.type == "invoke"}


def _note_duplicates(view: View, found: Sequence[Element], t: float) -> None:
    for name, times in Counter(found).items():
        if times > 1:
            view.duplicated[name] = max(times, view.duplicated.get(name, 0))
            view.duplicated_at.setdefault(name, t)
