"""What reads of versioned keys saw, against what was acknowledged by then: one linear sweep.

Every key has one writer, whose versions rise. So there is one right order, and no search is needed:
a read is stale when a newer version was acknowledged before it was invoked, went backwards when the
same client had seen a newer one, and does not show one's own write when that client wrote it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import NamedTuple

from chaoskit.checks._coverage import Need
from chaoskit.checks.histories.operations import number, plain
from chaoskit.records import Event, Json, Key
from chaoskit.text import count

VIEWS = ("read", "truth")
NEED = Need(writes=("write",), reads=VIEWS, after_write=True)
NOTHING = float("-inf")  # the version of a key that has none


@dataclass(slots=True)
class KeyHistory:
    """The writes of one key: acknowledged versions and when, in order; and all versions tried.

    `began` is when the first write was invoked, `last` the last event of any write. `own` holds the
    newest version that a process wrote itself, `seen` the newest that it read, by view. `refused`
    was written and never happened, `before` was there before the first write.
    """

    versions: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tried: dict[float, Event] = field(default_factory=dict)  # version to invocation
    refused: set[float] = field(default_factory=set)
    before: set[float] = field(default_factory=set)
    newest: float = NOTHING
    began: float = inf
    last: Event | None = None
    own: dict[int, float] = field(default_factory=dict)
    seen: dict[str, dict[int, float]] = field(default_factory=lambda: {op: {} for op in VIEWS})


class Read(NamedTuple):
    """One good read: its events, its version, and the newest one acknowledged when it began.

    `own` is the newest that the same process had written itself, `before` the newest it had read
    in this view; all of them NOTHING where there was none.
    """

    begin: Event
    end: Event
    version: float
    acknowledged: float
    own: float
    before: float


_read = partial(tuple.__new__, Read)  # a third of the time, a million times


class Versions:
    """A sweep over a history of writes and reads; `reads` fills `keys` as it goes."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.keys: dict[Key, KeyHistory] = {}
        self.strange = 0  # reads whose value is not a version
        self.foreign: list[tuple[Key, float]] = []  # keys and versions read that nobody wrote

    def stale_for(self, read: Read) -> float:
        """Return how many seconds before a stale read a newer version had been acknowledged."""
        key_history = self.keys[read.begin.key]
        return read.begin.t - key_history.times[bisect_right(key_history.versions, read.version)]

    def reads(self) -> Iterator[Read]:  # noqa: PLR0912  # one loop, for speed
        """Yield the good reads of all views, as they end."""
        keys = self.keys
        pending: dict[int, tuple[Event, float, float, float]] = {}
        writing: dict[int, tuple[KeyHistory, float]] = {}
        for event in self._events:
            op = event.op
            if op != "write" and op not in VIEWS:
                continue
            key = event.key
            key_history = keys.get(key)
            if key_history is None:
                key_history = keys[key] = KeyHistory()
            if op == "write":
                key_history.last = event
                if event.type == "invoke":
                    value = event.value
                    version = value if type(value) is int else _version(value)
                    if version is not None:
                        if key_history.began == inf:
                            key_history.began = event.t
                        key_history.tried[version] = event
                        writing[event.id] = (key_history, version)
                elif event.type != "info":
                    written = writing.pop(event.id, None)
                    if written is not None:
                        _ended(event, *written)
            elif event.type == "invoke":
                process = event.process
                mine = key_history.own.get(process, NOTHING)
                before = key_history.seen[op].get(process, NOTHING)
                pending[event.id] = (event, key_history.newest, mine, before)
            else:
                started = pending.pop(event.id, None)
                if started is None or event.type != "ok":
                    continue
                value = event.value
                version = value if type(value) is int else _version(value)
                if version is None:
                    self.strange += 1
                    continue
                begin, newest, mine, before = started
                if version not in key_history.tried:
                    self._unwritten(key_history, begin, version)
                if version > before:
                    key_history.seen[op][event.process] = version
                yield _read((begin, event, version, newest, mine, before))

    def _unwritten(self, key_history: KeyHistory, begin: Event, version: float) -> None:
        """Take note of a read of a version that was not written until then."""
        if version == NOTHING or version in key_history.refused | key_history.before:
            return
        if begin.t <= key_history.began:
            key_history.before.add(version)
        else:
            self.foreign.append((begin.key, version))


def _ended(event: Event, key_history: KeyHistory, version: float) -> None:
    if event.type == "fail":
        del key_history.tried[version]
        key_history.refused.add(version)
        return
    if version > key_history.own.get(event.process, NOTHING):
        key_history.own[event.process] = version
    if version > key_history.newest:
        key_history.newest = version
        key_history.versions.append(version)
        key_history.times.append(event.t)


def unparsable_note(versions: Versions) -> tuple[str, ...]:
    """Return the note on reads that were left out because they returned no version."""
    many = versions.strange
    return (f"{count(many, 'read')} returned something else than a version",) if many else ()


def _version(value: Json) -> float | None:
    return NOTHING if value is None else number(value)


def shown(version: float) -> str:
    """Return a version for a sentence: `nothing`, or the number."""
    return "nothing" if version == NOTHING else f"version {plain(version)}"
