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
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from chaoskit.checks.histories.operations import refused
from chaoskit.records import Event, Json, Key

Value: TypeAlias = str | int | float | bool | tuple[str, str] | None

NOBODY, BEFORE = -2, -1  # places of the write of a value: nobody wrote it, or it was there before


@dataclass(frozen=True, slots=True)
class Broken:
    """One reason why a key is not linearizable, and the places of the events that show it.

    For a `stale` value those are its first end, that of the `other` value which had replaced it by
    then, and the invocation of the last read that returned it all the same.
    """

    how: Literal["unwritten", "refused", "early", "stale"]
    key: Key
    value: Value
    other: Value
    places: tuple[int, ...]


@dataclass(slots=True)
class Zones:
    """What one pass over a history found: a zone for every value of every key.

    Zones are numbers, and what is known of them lies in columns, because there are as many as
    writes: the place of the first end in the cluster (`far` for none), of the last start, and of
    the write's invocation; and whether the write ended `ok` (1), `fail` (-1) or in doubt (0).
    `unfit` are the keys that the test cannot judge, with the reason: a cas, or a value written
    twice.
    """

    far: int
    keys: dict[Key, dict[Value, int]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    outcomes: list[int] = field(default_factory=list)
    unfit: dict[Key, str] = field(default_factory=dict)
    early: list[Broken] = field(default_factory=list)
    total: int = 0

    def add(self, end: int, start: int, write: int, outcome: int = 0) -> int:
        """Return the number of one zone more."""
        self.ends.append(end)
        self.starts.append(start)
        self.writes.append(write)
        self.outcomes.append(outcome)
        return len(self.ends) - 1


def frozen(value: Json) -> Value:
    """Return a value that can be a dictionary key; 1 and true stay two values."""
    if type(value) is int or type(value) is str or value is None:
        return value
    if isinstance(value, float):
        return value
    return ("json", json.dumps(value, sort_keys=True))


def first_values(events: Sequence[Event], initial: Value) -> dict[Key, Value]:
    """Return what keys held at first, as far as reads show it.

    That is what a read returned that ended before anything was written to the key; what was refused
    was not written, but reading that very value tells nothing. A key that nobody read in time may
    have begun like those that were, where these agree, or else with `initial`: it did, where a read
    returned that and nobody wrote it.
    """
    found: dict[Key, Value] = {}
    never = refused(events, ("write", "cas"))
    written: dict[Key, set[Value]] = {}
    read: dict[Key, set[Value]] = {}
    tried: dict[Key, set[Value]] = {}  # what was refused, as far as it is known
    for event in events:
        if event.op in ("write", "cas"):
            if event.type == "invoke":
                new = event.value
                if event.op == "cas" and isinstance(new, Sequence) and new:
                    new = new[-1]
                values = tried if event.id in never else written
                values.setdefault(event.key, set()).add(frozen(new))
        elif event.type == "ok" and event.op == "read":
            value = frozen(event.value)
            read.setdefault(event.key, set()).add(value)
            if event.key not in written and value not in tried.get(event.key, ()):
                found.setdefault(event.key, value)
    agreed = set(found.values())
    common = agreed.pop() if len(agreed) == 1 and initial is None else initial
    for key in written.keys() - found.keys():
        if common in read.get(key, ()) and common not in written[key]:
            found[key] = common
    return found


def zones(  # noqa: PLR0912, PLR0915  # one loop, for speed
    events: Sequence[Event],
    initial: Json,
    *,
    infer: bool = False,
    firsts: Mapping[Key, Value] = {},
) -> Zones:
    """Sweep a history of reads, writes and cas, in order of time. Linear.

    A key starts with its value in `firsts`, or with `initial`; to `infer` means that it starts with
    what a read returned that ended before its first write began.
    """
    zoned = Zones(far=len(events))
    keys, add, unfit, early = zoned.keys, zoned.add, zoned.unfit, zoned.early
    ends, starts, writes, outcomes = zoned.ends, zoned.starts, zoned.writes, zoned.outcomes
    started: dict[int, int] = {}
    writing: dict[int, int] = {}
    take = started.pop
    first = frozen(initial)
    far = zoned.far
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
                elif take(event.id, None) is not None:
                    total += type_ != "info"
                    if type_ != "fail":
                        unfit[event.key] = "cas"
            continue
        elif type_ != "invoke":
            written = writing.pop(event.id, None)
            if written is None or type_ == "info":
                continue
            total += 1
            if type_ == "fail":
                outcomes[written] = -1
                continue
            outcomes[written] = 1
            if ends[written] == far:
                ends[written] = place
            continue
        key = event.key
        value: Value = event.value if type(event.value) is int else frozen(event.value)
        clusters = keys.get(key)
        if clusters is None:
            known = value if infer and op == "read" else firsts.get(key, first)
            clusters = keys[key] = {known: add(BEFORE, BEFORE, BEFORE, 1)}
        zone = clusters.get(value)
        if op == "read":
            total += 1
            if zone is None:
                clusters[value] = add(place, start, NOBODY)
                continue
            if start > starts[zone]:  # noqa: PLR1730  # max() is a call, a million times
                starts[zone] = start
            if ends[zone] == far:
                ends[zone] = place
        elif zone is None:
            clusters[value] = writing[event.id] = add(far, place, place)
        else:
            if writes[zone] == NOBODY:
                early.append(Broken("early", key, value, None, (ends[zone], place)))
            else:
                unfit[key] = "twice"
            writes[zone] = starts[zone] = place
            writing[event.id] = zone
    _open_cas(events, started, unfit)
    zoned.total = total
    return zoned


def _open_cas(events: Sequence[Event], started: Mapping[int, int], unfit: dict[Key, str]) -> None:
    for place in started.values():
        if events[place].op == "cas":
            unfit[events[place].key] = "cas"


def broken(zoned: Zones) -> list[Broken]:
    """Return what is wrong with the keys that the zone test can judge, in no special order."""
    wrong = [one for one in zoned.early if one.key not in zoned.unfit]
    known_early = {(one.key, one.value) for one in wrong}
    for key, clusters in zoned.keys.items():
        if key not in zoned.unfit:
            early = {value for known, value in known_early if known == key}
            judged = clusters
            if early:
                judged = {v: zone for v, zone in clusters.items() if v not in early}
            wrong += _broken_key(zoned, key, judged)
    return wrong


def _broken_key(zoned: Zones, key: Key, clusters: Mapping[Value, int]) -> Iterator[Broken]:
    """Yield what is wrong with one key.

    Two zones overlap, or a backward one lies inside a forward one, exactly when each of the two
    values has its first end before the other's last start. So one look at the zones in the order
    of their first ends is enough.
    """
    ends, starts, writes, outcomes = zoned.ends, zoned.starts, zoned.writes, zoned.outcomes
    wrong: list[tuple[Literal["unwritten", "refused"], int]] = []
    replaced: dict[int, int] = {}  # a value that was read again, and the first that replaced it
    furthest, since, reach = BEFORE, BEFORE, BEFORE  # the forward zone that goes furthest so far
    for zone in sorted(clusters.values(), key=ends.__getitem__):
        end, start = ends[zone], starts[zone]
        if outcomes[zone] <= 0:
            if end == zoned.far:  # a write that need not have been: nobody read it
                continue
            if writes[zone] == NOBODY or outcomes[zone] < 0:
                wrong.append(("unwritten" if writes[zone] == NOBODY else "refused", zone))
                continue
        if end < reach and start > since:
            replaced.setdefault(furthest, zone)
        if end < start and start > reach:
            furthest, since, reach = zone, end, start
    if wrong or replaced:
        values = {zone: value for value, zone in clusters.items()}
        for how, zone in wrong:
            yield Broken(how, key, values[zone], None, (writes[zone], ends[zone]))
        for zone, by in replaced.items():
            places = (ends[zone], ends[by], starts[zone])
            yield Broken("stale", key, values[zone], values[by], places)
