"""The events of a run: one frozen class for each, which is also its row, its reader and its schema.

To add one, write its class here and emit it: `recorder.emit(FaultHealed("slow"))` writes the line
`{"t": ..., "event": "fault_healed", "id": "slow", ...}`, tells every listener, and the reader gives
it back. Who wants to know of an event matches on its class. A field that comes later needs a
default, so that the rows of older runs stay readable; so does `was`, for a name that changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar, cast, dataclass_transform

from pydantic import TypeAdapter

from chaoskit.errors import StoreFailed
from chaoskit.exchange import Exchange, Traffic
from chaoskit.record.folder import number_in, numbered_rows, reason_of
from chaoskit.records import Json, Phase, Schedule, Verdict
from chaoskit.text import one_line

EVENTS = "events.ndjson"
FORMAT = 2  # of a run folder; 1 concluded on its faults itself and recorded no canary


class RunEvent:
    """Something that happened to a run. `name` is what its rows are called."""

    __slots__ = ()
    name: ClassVar[str]


class Recorded(NamedTuple):
    """An event and when it happened, in run-clock seconds."""

    t: float
    event: RunEvent

    def row(self) -> dict[str, Json]:
        """Return it as one line of `events.ndjson`."""
        fields = adapter(type(self.event)).dump_python(self.event, mode="json")
        return {"t": self.t, "event": self.event.name, **fields}


KINDS: dict[str, type[RunEvent]] = {}  # by the names of their rows, former ones included
RETIRED: set[str] = set()  # names of rows that only old runs have
Kind = TypeVar("Kind", bound=type[RunEvent])


@dataclass_transform(frozen_default=True)
def event(name: str, *, was: str | None = None, retired: bool = False) -> Callable[[Kind], Kind]:
    """Register a class as the event whose rows are called `name`, and once were called `was`.

    A `retired` one is only read, from runs of earlier versions.
    """

    def register(kind: Kind) -> Kind:
        made = cast("Kind", dataclass(frozen=True, slots=True)(kind))
        made.name = name
        KINDS[name] = made
        if was is not None:
            KINDS[was] = made
        if retired:
            RETIRED.add(name)
        return made

    return register


# -- the run -------------------------------------------------------------------------------------


@event("run_started")
class RunStarted(RunEvent):
    """The first event of every run: which it is, and all it takes to report it and to recover it.

    `clock` is where its clock counts from, `faults` the ids of the faults that it will inject.
    """

    started_at: datetime
    run: str = ""
    scenario: str = ""
    clock: str = ""
    seed: int = 0
    file: str = ""
    command: str = ""
    project: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] | None = None
    format: int = 1


@event("phase_started")
class PhaseStarted(RunEvent):
    """A phase begins: up, gate, baseline, faults, heal, settle, final, judge or down."""

    phase: str


@event("phase_ended")
class PhaseEnded(RunEvent):
    """A phase is over; `cut_off` when it did not come to its end."""

    phase: str
    cut_off: bool = False


@event("progress")
class Progressed(RunEvent):
    """What is going on inside a phase, for people."""

    text: str


@event("note")
class Noted(RunEvent):
    """What a reader of the report should know beside the verdict."""

    text: str


@event("run_unproven", was="doubt")
class RunUnproven(RunEvent):
    """Why the run as a whole can not be a pass."""

    text: str


@event("runner_stalled", was="stuck")
class RunnerStalled(RunEvent):
    """chaoskit itself saw nothing for a while, so the run proves nothing."""

    text: str


@event("ended_early")
class RunEndedEarly(RunEvent):
    """Why the run did not come to its end, with the exit code that this gives.

    `last_logs` are the last lines of each service that did not become ready.
    """

    reason: str
    exit_code: int | None = None
    last_logs: dict[str, tuple[str, ...]] = field(default_factory=dict)


@event("guard")
class GuardMeasured(RunEvent):
    """How many resident bytes the guard beside the run took."""

    memory: int | None


@event("recovery_started")
class RecoveryStarted(RunEvent):
    """Another process undoes what the run left; what it writes follows."""

    by: str = ""


@event("left_behind")
class LeftBehind(RunEvent):
    """Something of the run is still there at its end; `command` removes it."""

    what: str
    command: str


@event("run_ended")
class RunEnded(RunEvent):
    """The last event of a run that came to its end, after the teardown."""

    verdict: Verdict
    exit_code: int


def follow_phase(phases: list[Phase], recorded: Recorded) -> None:
    """Keep `phases` up to date with one more event."""
    t, event = recorded
    match event:
        case PhaseStarted(phase=name):
            phases.append(Phase(name, t, None))
        case PhaseEnded() if phases:
            phases[-1] = replace(phases[-1], end=t)


# -- the stack -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceImage:
    """A service of the stack and the exact image that runs."""

    service: str
    image: str = ""
    digest: str = ""


@event("services")
class ServicesUp(RunEvent):
    """The stack is up: these services, by these images."""

    services: tuple[ServiceImage, ...]


@dataclass(frozen=True, slots=True)
class EdgeSeen:
    """A possible edge; `connections` counts those that its proxy accepted from its client. Without
    a `port` nothing told which one it may be."""

    client: str
    upstream: str
    port: int | None
    evidence: str | None = None
    proxied: bool = False
    connections: int | None = None


@event("edges")
class EdgesObserved(RunEvent):
    """The map of the edges, as the whole run saw them."""

    edges: tuple[EdgeSeen, ...]


@event("container")
class ContainerChanged(RunEvent):
    """What the engine reported of one replica: `start`, `die`, `oom`, `health_status`..."""

    service: str
    replica: int
    action: str
    exit_code: int | None = None
    signal: int | None = None  # of a `kill`


@event("last_lines")
class LastLines(RunEvent):
    """The last lines that a replica had printed when it died at `died`, run-clock seconds."""

    service: str
    replica: int
    died: float
    lines: tuple[str, ...]


@event("log_incomplete")
class LogIncomplete(RunEvent):
    """A stretch of a service's log may lack lines, for this reason; `end` is null for the rest."""

    service: str
    start: float
    end: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class ReplicaSeen:
    """What the engine shows of one replica."""

    service: str
    replica: int
    status: str
    exit_code: int = 0


@event("replicas")
class ReplicasRead(RunEvent):
    """The replicas of the stack as they were when everything had settled. `jobs` are the services
    that are meant to complete: others wait for that."""

    replicas: tuple[ReplicaSeen, ...]
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostLoad:
    """How busy the machine of the stack was since the sample before: for which share of the time
    some task of it waited for a CPU (0 to 1; null where the kernel does not count it), and which
    share of its CPUs was used by others than the stack and chaoskit (0 to 1; null where that is not
    known). Then the load average of the last minute, and the number of its CPUs."""

    cpu_pressure: float | None
    load1: float
    cpus: int
    others: float | None = None


@event("resources")
class ResourcesSampled(RunEvent):
    """What the stack used: bytes of memory of each service that runs, without the page cache that
    can be dropped, and for how many seconds the tasks of each waited for a CPU since the sample
    before, where that can be seen. `host` is null where its machine is not the one that chaoskit
    runs on."""

    host: HostLoad | None
    services: dict[str, int]
    waited: dict[str, float] = field(default_factory=dict)


@event("workload_ended")
class WorkloadEnded(RunEvent):
    """A workload is over: when its operations were due, and which of them were never sent."""

    workload: str
    schedule: Schedule | None = None


# -- faults --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FaultEvent(RunEvent):
    """What happened to one fault of the run, by its id."""

    id: str


@event("fault_failed")
class FaultNotInjected(FaultEvent):
    """A fault could not be put in force, or its read-back did not show it."""

    reason: str


@event("fault_injected")
class FaultInjected(FaultEvent):
    """A fault is about to be put in force; `services` are those that it hits directly,
    `ends_processes` says whether it ends processes of theirs, and `instant` whether it is over as
    soon as it is injected."""

    fault: str
    target: str
    services: tuple[str, ...] = ()
    ends_processes: bool | None = None
    instant: bool = False


@event("fault_receipt")
class FaultReceipt(FaultEvent):
    """What was read back right after the injection."""

    holds: bool
    detail: str


@event("fault_rechecked")
class FaultRechecked(FaultEvent):
    """What was read back right before the heal: one that vanished early was not in force."""

    holds: bool
    detail: str


@event("fault_effect")
class EffectCounted(FaultEvent):
    """What counted the effect of a fault by its heal: packets, throttling, errors of a store."""

    holds: bool
    detail: str


@event("fault_unmeasured")
class EffectUnmeasured(FaultEvent):
    """Why the effect of a fault could not be measured."""

    reason: str


@event("canary")
class CanaryExchanged(FaultEvent):
    """How a canary went through the listener that the edge's client uses, before a fault, while it
    is in force (the one that decides) or after it."""

    edge: str
    when: Literal["before", "during", "after"]
    exchange: Exchange


@event("edge_used")
class EdgeUsed(FaultEvent):
    """What the client of an edge did while a fault was in force, as its proxy saw it; a later one
    of the same edge counts instead."""

    edge: str
    traffic: Traffic


@event("edge_not_counted")
class EdgeNotCounted(FaultEvent):
    """Why nobody can say whether an edge was used while a fault was in force."""

    edge: str
    reason: str


@event("service_used")
class ServiceUsed(FaultEvent):
    """How many TCP connections a service that a fault acts on had with other containers and with
    the host right before the injection; null where its sockets cannot be read."""

    service: str
    connections: int | None


@event("heal_failed")
class HealFailed(FaultEvent):
    """A fault resists its heal; `by` names who tried if not its run."""

    reason: str
    by: str | None = None


@event("fault_healed")
class FaultHealed(FaultEvent):
    """A fault is healed and that was read back; `by` names who did it if not its run."""

    detail: str = ""
    by: str | None = None


@event("fault_gone")
class FaultGone(FaultEvent):
    """Nothing is left of a fault that could not be healed: all it had changed was the stack."""


@event("fault_concluded", retired=True)
class FaultConcluded(FaultEvent):
    """What a run of format 1 concluded itself on one of its faults."""

    proven: bool
    reason: str | None = None
    evidence: tuple[str, ...] = ()


# -- rows ----------------------------------------------------------------------------------------


_adapters: dict[type[RunEvent], TypeAdapter[RunEvent]] = {}


def adapter(kind: type[RunEvent]) -> TypeAdapter[RunEvent]:
    """Return what reads and writes an event's fields; made when it is first needed."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def from_row(row: Mapping[str, Any]) -> Recorded | None:
    """Return the event of one line, None for a name that this version does not know.

    Raises `ValueError` for a row that cannot be one of that name.
    """
    kind = KINDS.get(row.get("event", ""))
    if kind is None:
        return None
    return Recorded(number_in(row, "t"), adapter(kind).validate_python(dict(row)))


def read_events(folder: Path) -> list[Recorded]:
    """Read the events of a run that may have been cut off at any moment, in their order.

    Raises `StoreFailed` for a row that cannot be understood.
    """
    return list(_events(folder / EVENTS))


def _events(path: Path) -> Iterable[Recorded]:
    for number, row in numbered_rows(path):
        try:
            recorded = from_row(row)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            what = one_line(reason_of(error), 200)
            raise StoreFailed(f"`{path}` line {number} is no event: {what}") from error
        if recorded is not None:
            yield recorded
