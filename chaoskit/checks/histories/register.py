"""A key of a register as the calls of a search: values as small states, hopeless options left out.

Two rules keep operations without an answer (`info`) from making the search explode. One whose value
nobody ever saw may be left out: had it happened, leaving it out changes what no other operation
sees. One that alone can explain a value somebody did see happened, and before that was seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaoskit.checks._search import FOREVER, Call, Search
from chaoskit.checks._zones import Value, frozen
from chaoskit.checks.histories.operations import pairs
from chaoskit.records import Event, Json, Key


@dataclass(slots=True)
class _Op:
    """A call with its values, while it is not known yet which are needed."""

    start: int
    end: float
    sees: Value  # what it requires; meaningful where `looks`
    leaves: Value  # meaningful where `writes`
    looks: bool
    writes: bool


@dataclass(frozen=True, slots=True)
class Keyed:
    """One key's search, its states by number, and how many operations it is about.

    `unanswered` is how many operations of it had no clear answer.
    """

    key: Key
    search: Search
    states: Sequence[Value]
    operations: int
    unanswered: int


def searches(
    events: Sequence[Event],
    keys: Mapping[Key, str],
    initial: Json,
    firsts: Mapping[Key, Value],
) -> list[Keyed]:
    """Return a search for each of the `keys`, short ones first.

    A key starts with its value in `firsts`, or with `initial`.
    """
    places = {id(event): place for place, event in enumerate(events)}
    by_key: dict[Key, list[_Op]] = {}
    open_ops: Counter[Key] = Counter()
    for begin, end in pairs(events, ("read", "write", "cas")):
        key = begin.key
        if key not in keys:
            continue
        unclear = end is None or end.type == "info"
        if (end is not None and end.type == "fail") or (unclear and begin.op == "read"):
            continue
        open_ops[key] += unclear
        finish = FOREVER if end is None or unclear else float(places[id(end)])
        op = _op(begin, begin if end is None or unclear else end, places[id(begin)], finish)
        by_key.setdefault(key, []).append(op)
    made = [
        _keyed(key, ops, firsts.get(key, frozen(initial)), open_ops[key])
        for key, ops in by_key.items()
    ]
    return sorted(made, key=lambda one: one.operations)


def _op(begin: Event, end: Event, start: int, finish: float) -> _Op:
    if begin.op == "read":
        return _Op(start, finish, frozen(end.value), None, looks=True, writes=False)
    if begin.op == "write":
        return _Op(start, finish, None, frozen(begin.value), looks=False, writes=True)
    old, new = _pair(begin.value)
    return _Op(start, finish, old, new, looks=True, writes=True)


def _pair(value: Json) -> tuple[Value, Value]:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        return frozen(value[0]), frozen(value[1])
    raise ValueError(f"a cas carries [old, new], not {value!r}")


def _keyed(key: Key, ops: list[_Op], initial: Value, unanswered: int) -> Keyed:
    kept = _bounded(_observed(ops), initial)
    numbers: dict[Value, int] = {initial: 0}
    calls = [
        Call(
            op.start,
            op.end,
            numbers.setdefault(op.sees, len(numbers)) if op.looks else None,
            numbers.setdefault(op.leaves, len(numbers)) if op.writes else None,
            op.start,
        )
        for op in kept
    ]
    return Keyed(key, Search(calls, 0, len(numbers)), list(numbers), len(ops), unanswered)


def _observed(ops: Sequence[_Op]) -> list[_Op]:
    """Leave out optional writes of what nobody sees, until there are none."""
    kept = [op for op in ops if op.end != FOREVER or not _changes_nothing(op)]
    while True:
        seen = Counter(op.sees for op in kept if op.looks)
        needed = [op for op in kept if op.end != FOREVER or seen[op.leaves] > 0]
        if len(needed) == len(kept):
            return kept
        kept = needed


def _changes_nothing(op: _Op) -> bool:
    """Return whether a cas goes from a value to the same one: it needs that value and keeps it."""
    return op.looks and op.writes and op.sees == op.leaves


def _bounded(ops: Sequence[_Op], initial: Value) -> list[_Op]:
    """Give an end to optional writes that alone explain what a completed operation saw."""
    writers = Counter(op.leaves for op in ops if op.writes and not _changes_nothing(op))
    writers[initial] += 1
    first_seen: dict[Value, float] = {}
    for op in ops:
        if op.looks and op.end != FOREVER:
            first_seen[op.sees] = min(op.end, first_seen.get(op.sees, FOREVER))
    for op in ops:
        if op.end == FOREVER and writers[op.leaves] == 1 and op.leaves in first_seen:
            op.end = max(first_seen[op.leaves] - 0.5, op.start + 0.25)
    return list(ops)
