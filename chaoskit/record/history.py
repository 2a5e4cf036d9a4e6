"""Reading a history, of a run or of any origin: a line that cannot be right is an error."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any, cast

import msgspec
from msgspec.structs import force_setattr, replace

from chaoskit import files
from chaoskit.errors import UsageError
from chaoskit.numeric import NoNumber, read_json
from chaoskit.records import Event, Key, key_of

TYPES = ("invoke", "ok", "fail", "info")
FIELDS = frozenset(
    {"t", "type", "process", "workload", "op", "key", "value", "id", "error", "due", "trace"}
)
_ENDLESS = 1e300  # seconds: no time is, and arithmetic with more is none
Row = Mapping[str, Any] | None  # of a line as it stands there; None for one that leaves nothing out
_DECODER = msgspec.json.Decoder(Event)
UNNAMED = "history"  # the workload of lines that name none
ENDS_LATER = "subscribe"  # its connection may end after it was made: a second completion


@dataclass(frozen=True, slots=True)
class Stored:
    """The events of a file by workload, in the order of the file, and what to say about it."""

    events: Mapping[str, list[Event]]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Operations:
    """What is known of one workload's operations while its lines are read."""

    events: list[Event] = field(default_factory=list)
    begun: dict[int, tuple[int, Event]] = field(default_factory=dict)  # id to line and event
    # Completions that wait for their invocation, with their lines as they stand there.
    ended: dict[int, tuple[int, Event, Row]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    # By key, the write that may still happen: its line and id.
    writing: dict[Key, tuple[int, int]] = field(default_factory=dict)


def read_history(path: Path, *, one_writer: bool = False) -> Stored:
    """Read a file of JSON lines; a torn last line is left out, and said.

    `one_writer` says that each key has one writer, whose writes never overlap. Raises `UsageError`
    with the number of the first line that is wrong.
    """
    reader = _Reader(path, one_writer)
    with without_collecting():
        try:
            for line in files.lines(path):
                reader.take(line)
        except OSError as error:
            raise UsageError(f"cannot read `{path}`: {error.strerror}") from error
    return reader.finished()


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keep the cyclic garbage collector away: looking through millions of events costs seconds."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Reader:
    """Lines in, events out."""

    def __init__(self, path: Path, one_writer: bool) -> None:
        self._path = path
        self._one_writer = one_writer
        self._line = 0
        self._latest = float("-inf")
        self._earlier: list[int] = []  # the first lines that are earlier than one before
        self._disorder = 0
        self._strange: dict[str, int] = {}  # unknown fields and the line of the first
        self._torn: int | None = None
        self._overlap: UsageError | None = None
        self._workloads: dict[str, _Operations] = {}

    def take(self, line: bytes) -> None:
        self._line += 1
        row: Row = None
        event = _as_written(line)
        if event is None:
            row = self._row(line.decode("utf-8" if self._line > 1 else "utf-8-sig", "replace"))
            if row is None:
                return
            event = self._event(row)
        if event.t < self._latest:
            self._disorder += 1
            if self._disorder == 1:
                self._earlier.append(self._line)
        else:
            self._latest = event.t
        known = self._workloads.get(event.workload)
        if known is None:
            known = self._workloads[event.workload] = _Operations()
        known.events.append(self._join(event, row, known))
        if self._one_writer and event.op == "write":
            self._alone(event, known)

    def _row(self, line: str) -> Row:
        """Return what a line holds; None for an empty or a torn one."""
        try:
            row = read_json(line)
        except json.JSONDecodeError as error:
            if not line.endswith("\n"):
                self._torn = self._line
                return None
            if not line.strip():
                return None
            raise self._wrong(_reason(error)) from None
        if not isinstance(row, dict):
            raise self._wrong("not a JSON object")
        if not row.keys() <= FIELDS:
            for name in row.keys() - FIELDS:
                self._strange.setdefault(name, self._line)
        return row

    def _event(self, row: Mapping[str, Any]) -> Event:
        """Return the event of a line that anybody may have written."""
        t, kind, number = row.get("t"), row.get("type"), row.get("id")
        process, op = row.get("process", 0), row.get("op")
        if type(t) is int and abs(t) < _ENDLESS:
            t = float(t)
        if type(t) is not float or not math.isfinite(t):
            raise self._wrong("`t` is not a number of seconds")
        if kind not in TYPES:
            raise self._wrong("`type` is none of " + ", ".join(TYPES))
        if type(number) is not int:
            raise self._wrong("`id` is not a whole number")
        if type(process) is not int:
            raise self._wrong("`process` is not a whole number")
        if type(op) is not str or not op:
            raise self._wrong("`op` is not the name of an operation")
        workload, error = row.get("workload", UNNAMED), row.get("error")
        if type(workload) is not str:
            raise self._wrong("`workload` is not a name")
        if error is not None:
            error = intern(str(error))
        key, value = key_of(row.get("key")), row.get("value")
        if type(key) is str:
            key = intern(key)
        due = row.get("due")
        if due is not None:
            if type(due) not in (int, float) or not abs(due) < _ENDLESS:
                raise self._wrong("`due` is not a number of seconds")
            due = float(due)
        trace = row.get("trace")
        if trace is not None and type(trace) is not str:
            raise self._wrong("`trace` is no text")
        kind, workload, op = intern(kind), intern(workload), intern(op)
        return Event(
            t, cast("Any", kind), process, workload, op, key, value, number, error, due, trace
        )

    def _join(self, event: Event, row: Row, known: _Operations) -> Event:
        """Hold every completion against its invocation; both may be lines out of order.

        Return the event; what a completion leaves out is as in its invocation.
        """
        number = event.id
        if event.type == "invoke":
            if number in known.begun or number in known.done:
                first = known.begun.get(number)
                where = f", first in line {first[0]}" if first else ""
                raise self._wrong(f"id {number} is invoked twice{where}")
            ended = known.ended.pop(number, None)
            if ended is None:
                known.begun[number] = (self._line, event)
                return event
            return self._ended_first(event, ended, known)
        begun = known.begun.pop(number, None)
        if begun is not None:
            known.done.add(number)
            event = _completed(event, row, begun[1])
            self._fits(begun, (self._line, event))
        elif number in known.done or number in known.ended:
            if event.op != ENDS_LATER:
                raise self._wrong(f"id {number} is completed twice")
        else:
            known.ended[number] = (self._line, event, row)
        return event

    def _ended_first(
        self, begin: Event, ended: tuple[int, Event, Row], known: _Operations
    ) -> Event:
        """Join an invocation to a completion of an earlier line; return what stands last now.

        An operation that took no time is put in its order: what began it comes first.
        """
        line, event, row = ended
        end = _completed(event, row, begin)
        self._fits((self._line, begin), (line, end))
        known.done.add(begin.id)
        first, last = (begin, end) if end.t == begin.t else (end, begin)
        if first is not event:
            events = known.events
            place = next(n for n in reversed(range(len(events))) if events[n] is event)
            events[place] = first
        return last

    def _fits(self, begun: tuple[int, Event], ended: tuple[int, Event]) -> None:
        """Raise `UsageError` where a completion cannot be that of its invocation."""
        (begin_line, begin), (end_line, end) = begun, ended
        if end.t < begin.t:
            raise self._wrong(
                f"id {end.id} is completed at {end.t:g} s (line {end_line}), before it was "
                f"invoked at {begin.t:g} s (line {begin_line})"
            )
        if (begin.op, begin.process, begin.key) == (end.op, end.process, end.key):
            return
        for name in ("op", "process", "key"):
            one, other = getattr(begin, name), getattr(end, name)
            if one != other:
                raise self._wrong(
                    f"id {end.id} is invoked with the {name} `{one}` (line {begin_line}) and "
                    f"completed with `{other}` (line {end_line})"
                )

    def _alone(self, event: Event, known: _Operations) -> None:
        """Take note of a write of a key whose write before has not ended, or never will.

        `info` does not end a write: it may still happen at any later time.
        """
        if event.type == "invoke":
            line = known.writing.setdefault(event.key, (self._line, event.id))[0]
            if line != self._line and self._overlap is None:
                self._overlap = self._wrong(
                    f"key `{event.key}` is written while its write of line {line} may still happen"
                )
        elif event.type != "info" and known.writing.get(event.key, (0, None))[1] == event.id:
            del known.writing[event.key]

    def finished(self) -> Stored:
        for known in self._workloads.values():
            for number, (line, *_) in known.ended.items():
                self._line = line
                raise self._wrong(f"id {number} is completed but was never invoked")
        if self._overlap is not None and not self._disorder:  # else the lines prove no order
            raise self._overlap
        if not self._workloads:
            why = "" if self._torn is None else f": its line {self._torn} is torn"
            raise UsageError(f"`{self._path}` holds no operation{why}")
        notes = []
        if self._torn is not None:
            notes.append(f"the last line, {self._torn}, is torn and was left out")
        if self._disorder:
            notes.append(
                f"{_lines(self._disorder)} out of order in time, the first is line "
                f"{self._earlier[0]}; they were sorted"
            )
        for name, line in list(self._strange.items())[:3]:
            notes.append(f"the unknown field `{name}` (line {line}) was ignored")
        if len(self._strange) > 3:
            notes.append(f"{len(self._strange) - 3} more unknown fields were ignored")
        events = {name: known.events for name, known in self._workloads.items()}
        return Stored(events, tuple(notes))

    def _wrong(self, message: str) -> UsageError:
        return UsageError(f"{self._path}:{self._line}: {message}")


def _as_written(line: bytes) -> Event | None:
    """Return the event of a line as a run writes it; None for any other, which may be right."""
    try:
        event = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not event.op or not abs(event.t) < _ENDLESS or not abs(event.due or 0.0) < _ENDLESS:
        return None
    # One text for all events that have it: less memory, and comparing is quicker.
    force_setattr(event, "op", intern(event.op))
    force_setattr(event, "workload", intern(event.workload))
    if event.error is not None:
        force_setattr(event, "error", intern(event.error))
    if type(event.key) is str:
        force_setattr(event, "key", intern(event.key))
    return event


def _completed(event: Event, row: Row, begin: Event) -> Event:
    """Return a completion with what its line leaves out, as its invocation had it."""
    if row is None or ("value" in row and "key" in row and "process" in row):
        return event
    left_out = {
        name: getattr(begin, name)
        for name in ("process", "key", "value")
        if name not in row and getattr(begin, name) is not None
    }
    return replace(event, **left_out) if left_out else event


def _reason(error: json.JSONDecodeError) -> str:
    column = min(error.pos, len(error.doc.rstrip())) + 1
    what = "" if isinstance(error, NoNumber) else "not JSON: "
    return f"{what}{error.msg[:1].lower()}{error.msg[1:]} (column {column})"


def _lines(many: int) -> str:
    return "1 line is" if many == 1 else f"{many} lines are"
