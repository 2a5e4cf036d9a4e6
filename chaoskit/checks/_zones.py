"""The zone test: are reads and writes of unique values linearizable? One pass and a sort.

Gibbons & Korach, "Testing shared memories" (1997), as told by Golab, Li & Shah, "Analyzing
consistency properties for fun and profit" (2011). Where every value is written once, a value's
write and its reads form a cluster. Its zone runs between the first end and the last start in it.
It is *forward* when the first end comes first: from there to the last start the register held the
value. Otherwise it is *backward*: one moment between the two is enough. The history is linearizable
exactly when no read ended before its write began, no two forward zones overlap, and no backward
zone lies inside a forward one. A write that ended `info` has no end; unread, it drops out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chaoskit.records import Event, Json

Value: TypeAlias = str | int | float | bool | tuple[str, str] | None
Zone: TypeAlias = tuple[int, int, int]  # where a zone begins, its last start, its first end

# A zone is a list, because there are as many as writes: the place of the first end, of the last
# start, of the write's invocation (NOBODY: not yet, BEFORE: the first value), how many reads, and
# whether the write ended `ok` (1), `fail` (-1) or in doubt (0).
NOBODY, BEFORE = -2, -1


@dataclass(frozen=True, slots=True)
class Broken:
    """One reason why a key is not linearizable, and the places of the events that show it.

    For a `stale` value those are its first end, that of the `other` value which had replaced it by
    then, and the invocation of the last read that returned it all the same.
    """

    how: Literal["unwritten", "refused", "early", "stale"]
    key: Json
    value: Value
    other: Value
    places: tuple[int, ...]


@dataclass(slots=True)
class Zones:
    """What one pass over a history found: zones by key and value, and keys it cannot judge."""

    zones: dict[Value, dict[Value, list[int]]]
    unfit: dict[Value, str]  # with the reason: a cas, or a value written twice
    early: list[Broken]
    total: int


def frozen(value: Json) -> Value:
    """Return a value that can be a dictionary key; 1 and true stay two values."""
    if type(value) is int or type(value) is str or value is None:
        return value
    if isinstance(value, float):
        return value
    return ("json", json.dumps(value, sort_keys=True))


def first_values(events: Sequence[Event]) -> dict[Value, Value]:
    """Return what the first read of a key returned, where it ended before anything was written."""
    found: dict[Value, Value] = {}
    touched: set[Value] = set()
    for event in events:
        if event.op in ("write", "cas"):
            touched.add(frozen(event.key))
        elif event.type == "ok" and event.op == "read":
            key = frozen(event.key)
            if key not in touched:
                found.setdefault(key, frozen(event.value))
                touched.add(key)
    return found


def zones(  # noqa: PLR0912, PLR0915  # one loop, for speed
    events: Sequence[Event], initial: Json, *, infer: bool = False
) -> Zones:
    """Sweep a history of reads, writes and cas, in order of time. Linear.

    A key starts with `initial`; to `infer` means that it starts with what a read returned that
    ended before its first write began.
    """
    found: dict[Value, dict[Value, list[int]]] = {}
    unfit: dict[Value, str] = {}
    early: list[Broken] = []
    started: dict[int, int] = {}
    writing: dict[int, list[int]] = {}
    take = started.pop
    first = frozen(initial)
    far = len(events)
    total = 0
    for place, event in enumerate(events):
        op, type_ = event.op, event.type
        start = place
        if op == "read":
            if type_ == "invoke":
                started[event.id] = place
                continue
            start = take(event.id, -1)
            if type_ != "ok" or start < 0:
                continue
        elif op != "write":
            if op == "cas":
                if type_ == "invoke":
                    started[event.id] = place
                elif take(event.id, None) is not None and type_ != "fail":
                    unfit[frozen(event.key)] = "cas"
            continue
        elif type_ != "invoke":
            written = writing.pop(event.id, None)
            if written is None or type_ == "info":
                continue
            total += 1
            if type_ == "fail":
                written[4] = -1
                continue
            written[4] = 1
            if place < written[0]:  # noqa: PLR1730  # min() is a call, a million times
                written[0] = place
            continue
        raw = event.key
        key: Value = raw if type(raw) is int or type(raw) is str else frozen(raw)
        value: Value = event.value if type(event.value) is int else frozen(event.value)
        clusters = found.get(key)
        if clusters is None:
            known = value if infer and op == "read" else first
            clusters = found[key] = {known: [BEFORE, BEFORE, BEFORE, 0, 1]}
        zone = clusters.get(value)
        if op == "read":
            total += 1
            if zone is None:
                clusters[value] = [place, start, NOBODY, 1, 0]
                continue
            zone[3] += 1
            if start > zone[1]:  # noqa: PLR1730
                zone[1] = start
            if place < zone[0]:  # noqa: PLR1730
                zone[0] = place
        elif zone is None:
            clusters[value] = writing[event.id] = [far, place, place, 0, 0]
        else:
            if zone[2] != NOBODY:
                unfit[key] = "twice"
            elif zone[3]:
                early.append(Broken("early", event.key, value, None, (zone[0], place)))
            zone[2] = place
            zone[1] = max(zone[1], place)
            writing[event.id] = zone
    _open_cas(events, started, unfit)
    return Zones(found, unfit, early, total)


def _open_cas(events: Sequence[Event], started: Mapping[int, int], unfit: dict[Value, str]) -> None:
    for place in started.values():
        if events[place].op == "cas":
            unfit[frozen(events[place].key)] = "cas"


def broken(found: Zones) -> list[Broken]:
    """Return what is wrong with the keys that the zone test can judge, in no special order."""
    wrong = [one for one in found.early if frozen(one.key) not in found.unfit]
    known_early = {(frozen(one.key), one.value) for one in wrong}
    for key, clusters in found.zones.items():
        if key not in found.unfit:
            wrong += _broken_key(key, clusters, known_early)
    return wrong


def _broken_key(
    key: Value, clusters: Mapping[Value, list[int]], early: set[tuple[Value, Value]]
) -> Iterator[Broken]:
    name: Json = key
    early_ones = {value for known, value in early if known == key}
    kept: list[Zone] = []
    for value, (end, start, write, reads, ok) in clusters.items():
        if early_ones and value in early_ones:
            continue
        if ok <= 0 or write < 0:
            if reads and write == NOBODY:
                yield Broken("unwritten", name, value, None, (end,))
                continue
            if reads and ok < 0:
                yield Broken("refused", name, value, None, (write, end))
                continue
            if not reads:  # the first value that nobody saw, or a write that need not have been
                continue
        kept.append((end, start, end) if end < start else (start, start, end))
    kept.sort()
    # What replaced a value that was read again, and the place by which it had: the first one.
    replaced: dict[Zone, Zone] = {}
    reach: Zone | None = None  # of the forward zones so far, the one that goes furthest
    for zone in kept:
        _, start, end = zone
        # Either the two overlap, or a backward one lies inside.
        if reach is not None and end < reach[1]:
            replaced.setdefault(reach, zone)
        if end < start and (reach is None or start > reach[1]):
            reach = zone
    if replaced:
        names = {(zone[0], zone[1]): value for value, zone in clusters.items()}
        for (_, start, end), (_, by_start, by_end) in replaced.items():
            value, other = names[end, start], names[by_end, by_start]
            yield Broken("stale", name, value, other, (end, by_end, start))
