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
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from chaoskit.records import Event, Json

Value: TypeAlias = str | int | float | bool | tuple[str, str] | None

# A zone is a list, because there are as many as writes: the place of the first end, of the last
# start, of the write's invocation (NOBODY: not yet, BEFORE: the first value), and how many reads.
_END, _START, _WRITE, _READS, _OK = range(5)
NOBODY, BEFORE = -2, -1


@dataclass(frozen=True, slots=True)
class Broken:
    """One reason why a key is not linearizable, and the places of the events that show it."""

    how: Literal["unwritten", "refused", "early", "torn", "stale"]
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
    reads: int
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


def zones(events: Sequence[Event], initial: Json, firsts: Mapping[Value, Value]) -> Zones:  # noqa: PLR0912, PLR0915  # for speed
    """Sweep a history of reads, writes and cas, in order of time. Linear.

    A key starts with its value in `firsts`, or with `initial`.
    """
    found: dict[Value, dict[Value, list[int]]] = {}
    unfit: dict[Value, str] = {}
    early: list[Broken] = []
    started: dict[int, int] = {}
    first = frozen(initial)
    far = len(events)
    reads = total = 0
    for place, event in enumerate(events):
        op, type_ = event.op, event.type
        if type_ == "invoke":
            started[event.id] = place
            if op != "write":
                continue
        elif type_ == "info" or op not in ("read", "write"):
            if op == "cas" and type_ != "fail":
                unfit[_plain(event.key)] = "cas"
            continue
        elif op == "read" and type_ == "fail":
            continue
        key, value = event.key, event.value
        if type(key) is not int and type(key) is not str:
            key = frozen(key)
        if type(value) is not int:
            value = frozen(value)
        clusters = found.get(key)
        if clusters is None:
            clusters = found[key] = {firsts.get(key, first): [BEFORE, BEFORE, BEFORE, 0, 1]}
        zone = clusters.get(value)
        if zone is None:
            zone = clusters[value] = [far, BEFORE, NOBODY, 0, 0]
        if type_ == "invoke":
            if zone[2] != NOBODY:
                unfit[key] = "twice"
            elif zone[3]:
                early.append(Broken("early", event.key, value, None, (zone[0], place)))
            zone[2] = place
            zone[1] = max(zone[1], place)
            continue
        start = started.pop(event.id, -1)
        if start < 0:
            continue
        total += 1
        if op == "read":
            reads += 1
            zone[3] += 1
            zone[1] = max(zone[1], start)
        elif type_ == "fail":
            zone[4] = -1
            continue
        else:
            zone[4] = 1
        zone[0] = min(zone[0], place)
    _open_cas(events, started, unfit)
    return Zones(found, unfit, early, reads, total)


def _open_cas(events: Sequence[Event], started: Mapping[int, int], unfit: dict[Value, str]) -> None:
    for place in started.values():
        if events[place].op == "cas":
            unfit[_plain(events[place].key)] = "cas"


def _plain(key: Json) -> Value:
    return frozen(key)


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
    forward: list[tuple[int, int, Value]] = []
    backward: list[tuple[int, int, Value]] = []
    name: Json = key
    for value, (end, start, write, reads, ok) in clusters.items():
        if reads and write == NOBODY:
            yield Broken("unwritten", name, value, None, (end,))
        elif reads and ok < 0:
            yield Broken("refused", name, value, None, (write, end))
        elif (reads or ok > 0) and (key, value) not in early:
            if end < start:
                forward.append((end, start, value))
            elif write != BEFORE:
                backward.append((start, end, value))
    forward.sort()
    reach: tuple[int, int, Value] | None = None
    for zone in forward:
        if reach is not None and zone[0] < reach[1]:
            places = (reach[0], zone[0], reach[1], zone[1])
            yield Broken("torn", name, reach[2], zone[2], places)
        if reach is None or zone[1] > reach[1]:
            reach = zone
    ends = [zone[0] for zone in forward]
    for start, end, value in backward:
        place = bisect_right(ends, start) - 1
        if place >= 0 and end < forward[place][1]:
            around = forward[place]
            places = (around[0], start, end, around[1])
            yield Broken("stale", name, around[2], value, places)
