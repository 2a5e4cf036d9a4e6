"""What a run records and what judging reads: samples, operations, fault windows, findings.

All times are seconds on the run's one monotonic clock, which starts at 0 when the run starts.
These plain values are the only thing that passes from running to judging to reporting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

_time = attrgetter("t")

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
Key: TypeAlias = int | str | None  # of a history: what one value is stored under


def key_of(value: Json) -> Key:
    """Return a key as histories hold it: whole numbers and text as they are, else JSON text."""
    if type(value) is int or type(value) is str or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return json.dumps(value, sort_keys=True)


class Verdict(StrEnum):
    """The three answers; combined, fail > unknown > pass.

    A single check may also fail as its scenario expects it to, which counts as a pass.
    """

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    EXPECTED_FAIL = "expected_fail"


def combined(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst of the verdicts; no verdict at all is `unknown`."""
    for worst in (Verdict.FAIL, Verdict.UNKNOWN):
        if worst in verdicts:
            return worst
    return Verdict.PASS if verdicts else Verdict.UNKNOWN


Outcome = Literal["ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One result of a probe. `due`, `sent` and `done` are run-clock seconds; for `stalled` seconds
    between the last two, chaoskit itself did nothing at all."""

    probe: str
    due: float
    sent: float
    done: float
    outcome: Outcome
    error: str | None = None
    value: Json = None
    stalled: float = 0.0
    trace: str | None = None  # of an operation that is looked at as a sample

    @property
    def lateness(self) -> float:
        """For how many seconds chaoskit itself kept the answer from being seen."""
        return self.sent - self.due + self.stalled

    @property
    def latency(self) -> float:
        """Seconds from due to done: a probe that was sent late was late for its user too."""
        return self.done - self.due


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One line of the history: an invocation, or its completion joined to it by `id`.

    A run has hundreds of thousands: msgspec reads and makes them several times as fast as `json`
    and a dataclass do, and the garbage collector need not look at them.

    `due` is when an invocation should have been sent, in run-clock seconds; None where that is not
    known, for what came by itself, and for completions. `trace` is the id of the trace that an
    invocation began, where it was told to the system: 32 hexadecimal digits.
    """

    t: float
    type: Literal["invoke", "ok", "fail", "info"]
    process: int
    workload: str
    op: str
    key: Key
    value: Any  # JSON
    id: int
    error: str | None = None
    due: float | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Omitted:
    """Operations of one kind that were due and never sent: how many, and from when to when.

    They were due evenly from `first` to `last`, in run-clock seconds.
    """

    op: str
    count: int
    first: float
    last: float

    def dues(self) -> Iterator[float]:
        step = (self.last - self.first) / max(self.count - 1, 1)
        return (self.first + step * number for number in range(self.count))


@dataclass(frozen=True, slots=True)
class Schedule:
    """From when to when a workload's operations were due, and those that were never sent.

    `start` and `end` are run-clock seconds; `timeout` is how many seconds each may take.
    """

    start: float
    end: float
    timeout: float
    omitted: tuple[Omitted, ...] = ()

    def covers(self, due: float) -> bool:
        """Return whether an operation was on the schedule; histories keep microseconds."""
        return self.start - 1e-6 <= due <= self.end + 1e-6


class Injected(Protocol):
    """What tells an injection of a fault from another."""

    @property
    def id(self) -> str: ...
    @property
    def fault(self) -> str: ...
    @property
    def target(self) -> str: ...


def injected_again(first: Injected, other: Injected) -> bool:
    """Return whether one is a further injection of the other: `repeat` calls them `ID-2`, `quiet`
    `ID.2`."""
    names = rf"{re.escape(first.id)}(?!$)(-[0-9]+)?(\.[0-9]+)?"
    same = (first.fault, first.target) == (other.fault, other.target)
    return same and re.fullmatch(names, other.id) is not None


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """When a fault was in force. `healed` is None when it never was healed."""

    id: str
    fault: str
    target: str
    injected: float
    healed: float | None
    services: tuple[str, ...] = ()  # the services it hits directly
    ends_processes: bool = False
    instant: bool = False  # over as soon as it was injected
    unused: tuple[str, ...] = ()  # of its services, those that had no connection by then

    @property
    def must_be_seen(self) -> bool:
        """Whether a sample has to fall into it: what only sets something off is seen later."""
        return self.ends_processes or not self.instant

    def meets(self, start: float, end: float) -> bool:
        """Return whether it was in force at any moment from `start` to `end`."""
        return self.injected <= end and (self.healed is None or start <= self.healed)

    def covers(self, t: float) -> bool:
        return self.injected <= t and (self.healed is None or t <= self.healed)

    def __str__(self) -> str:
        end = "never healed" if self.healed is None else f"{self.healed:.1f} s"
        return f"{self.id} ({self.fault} {self.target}) {self.injected:.1f} - {end}"


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the run; `end` is None while it lasts or when the run was cut off in it."""

    name: str
    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class ContainerState:
    """What the engine says about one replica now. `health` is None without a health check."""

    service: str
    replica: int
    container_id: str
    name: str
    status: Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
    health: Literal["starting", "healthy", "unhealthy"] | None
    exit_code: int
    restart_count: int
    started_at: str
    oom_killed: bool = False

    @property
    def running(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """Something the engine reported: `start`, `die`, `oom`, `kill`, `pause`, `health_status`..."""

    t: float
    service: str
    replica: int
    action: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line a container printed."""

    t: float
    service: str
    text: str


class Log:
    """What one service printed, in the order in which it was read: kept here, or elsewhere."""

    def __init__(self, lines: Sequence[LogLine] = ()) -> None:
        self._lines = lines

    def between(self, start: float, end: float) -> Iterator[LogLine]:
        """Yield the lines of a stretch of the run clock; it may be asked again and again."""
        return (line for line in self._lines if start <= line.t <= end)


@dataclass(frozen=True, slots=True)
class LogGap:
    """A stretch of a service's log that may lack lines, and why; `end` is None for all the rest."""

    service: str
    start: float
    end: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class EdgeUse:
    """How many connections the proxy of an edge accepted from its client in the whole run; None
    where the edge has no proxy, so that nobody counted."""

    client: str
    upstream: str
    port: int | None
    connections: int | None


def in_order(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events in order of time; at equal times the order in which they are decides."""
    times = list(map(_time, events))
    return events if times == sorted(times) else sorted(events, key=_time)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a check may look at. Checks are pure functions of this.

    Histories are in order of time here, whatever order they are given in. `initial` says, where a
    workload does, what its keys hold before they are written.
    """

    phases: Sequence[Phase]
    faults: Sequence[FaultWindow]
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    history: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    containers: Sequence[ContainerEvent] = ()
    logs: Mapping[str, Log] = field(default_factory=dict)
    log_gaps: Sequence[LogGap] = ()
    services: Sequence[str] = ()
    initial: Mapping[str, Json] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)  # by workload
    edges: Sequence[EdgeUse] = ()  # every possible one

    def __post_init__(self) -> None:
        history = {workload: in_order(events) for workload, events in self.history.items()}
        object.__setattr__(self, "history", history)

    def phase(self, name: str) -> Phase | None:
        return next((phase for phase in self.phases if phase.name == name), None)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was measured and what is allowed, as numbers of one unit: `s`, `ratio` or `count`."""

    measured: float
    limit: float | None
    unit: Literal["s", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: its verdict, what was measured against which bound, and why.

    `reason` is one sentence in a developer's words; it is None only for a pass. `witness` has at
    most six lines that show the failure, oldest first. `at` is the moment the failure is about,
    in run-clock seconds: the report shows the log lines around it. `notes` hold what a reader
    should know beside the verdict, also beside a pass.
    """

    verdict: Verdict
    measured: str
    bound: str
    reason: str | None = None
    witness: tuple[str, ...] = ()
    at: float | None = None
    services: tuple[str, ...] = ()  # whose log lines explain it; empty: all
    notes: tuple[str, ...] = ()
    numbers: Numbers | None = None  # where what was measured is one number
