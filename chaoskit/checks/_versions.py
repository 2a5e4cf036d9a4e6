"""What reads of versioned keys saw, against what was acknowledged by then: one linear sweep.

Every key has one writer, whose versions rise. So there is one right order, and no search is needed:
a read is stale when a newer version was acknowledged before it was invoked, went backwards when the
same client had seen a newer one, and does not show one's own write when that client wrote it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaoskit.checks._operations import number
from chaoskit.checks._text import count
from chaoskit.checks._zones import Value, frozen
from chaoskit.records import Event, Json

VIEWS = ("read", "truth")
NOTHING = float("-inf")  # the version of a key that has none


@dataclass(slots=True)
class KeyStory:
    """The writes of one key: acknowledged versions and when, in order; and all versions tried."""

    versions: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tried: dict[float, Event] = field(default_factory=dict)  # version to invocation
    newest: float = NOTHING

    def newer_since(self, version: float) -> float:
        """Return when the first version newer than this one was acknowledged."""
        return self.times[bisect_right(self.versions, version)]


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


class Versions:
    """A sweep over a history of writes and reads; `reads` fills `keys` as it goes."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self.keys: dict[Value, KeyStory] = {}
        self.strange = 0  # reads whose value is not a version

    def story(self, key: Json) -> KeyStory:
        return self.keys[frozen(key)]

    def reads(self) -> Iterator[Read]:
        """Yield the good reads of all views, as they end."""
        keys = self.keys
        pending: dict[int, tuple[Event, float, float, float]] = {}
        own: dict[tuple[int, Value], float] = {}
        seen: dict[tuple[int, Value, str], float] = {}
        writing: dict[int, tuple[KeyStory, float]] = {}
        for event in self._events:
            op = event.op
            raw = event.key
            key: Value = raw if type(raw) is int or type(raw) is str else frozen(raw)
            if op == "write":
                story = keys.get(key)
                if story is None:
                    story = keys[key] = KeyStory()
                if event.type == "invoke":
                    value = event.value
                    version = value if type(value) is int else _version(value)
                    if version is not None:
                        story.tried[version] = event
                        writing[event.id] = (story, version)
                elif event.type != "info":
                    written = writing.pop(event.id, None)
                    if written is not None:
                        self._ended(event, key, written, own)
            elif op in VIEWS:
                if event.type == "invoke":
                    story = keys.get(key)
                    newest = story.newest if story is not None else NOTHING
                    process = event.process
                    mine = own.get((process, key), NOTHING)
                    before = seen.get((process, key, op), NOTHING)
                    pending[event.id] = (event, newest, mine, before)
                    continue
                started = pending.pop(event.id, None)
                if started is None or event.type != "ok":
                    continue
                value = event.value
                version = value if type(value) is int else _version(value)
                if version is None:
                    self.strange += 1
                    continue
                begin, newest, mine, before = started
                if version > before:
                    seen[event.process, key, op] = version
                yield Read(begin, event, version, newest, mine, before)

    def _ended(
        self,
        event: Event,
        key: Value,
        written: tuple[KeyStory, float],
        own: dict[tuple[int, Value], float],
    ) -> None:
        story, version = written
        if event.type == "fail":
            del story.tried[version]
            return
        who = (event.process, key)
        if version > own.get(who, NOTHING):
            own[who] = version
        if version > story.newest:
            story.newest = version
            story.versions.append(version)
            story.times.append(event.t)


def strangers(versions: Versions) -> tuple[str, ...]:
    """Return the note on reads that were left out because they returned no version."""
    many = versions.strange
    return (f"{count(many, 'read')} returned something else than a version",) if many else ()


def _version(value: Json) -> float | None:
    return NOTHING if value is None else number(value)


def shown(version: float) -> str:
    """Return a version for a sentence: `nothing`, or the number."""
    return "nothing" if version == NOTHING else f"version {version:g}"
