"""Reading a run folder back: everything that is judged or reported comes from its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from chaoskit import files
from chaoskit.errors import StoreFailed
from chaoskit.exchange import Exchange, Traffic
from chaoskit.record.events import (
    CanaryExchanged,
    ContainerChanged,
    EdgeNotCounted,
    EdgesObserved,
    EdgeUsed,
    FaultEvent,
    FaultHealed,
    FaultInjected,
    HealFailed,
    LeftBehind,
    LogIncomplete,
    PhaseEnded,
    Recorded,
    RecoveryStarted,
    RunEvent,
    RunStarted,
    ServiceImage,
    ServicesUp,
    ServiceUsed,
    WorkloadEnded,
    follow_phase,
    read_events,
)
from chaoskit.record.folder import (
    PLAN,
    number_in,
    numbered_rows,
    read_document,
    reason_of,
    started_at,
)
from chaoskit.record.history import read_history
from chaoskit.record.logs import log_files
from chaoskit.record.writer import HISTORY, SAMPLES
from chaoskit.records import (
    ContainerEvent,
    EdgeUse,
    Event,
    Evidence,
    FaultWindow,
    LogGap,
    Phase,
    Sample,
)
from chaoskit.scenario.document import Scenario, scenario_model
from chaoskit.text import one_line, shown

Row = Mapping[str, Any]
_OUTCOMES = ("ok", "fail", "info")
E = TypeVar("E", bound=RunEvent)
_HINT = "the run was killed before it began, or another version of chaoskit wrote it"


class EventLog:
    """Events in their order, found by their class."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.events = tuple(events)
        self._by_class: dict[type[RunEvent], list[RunEvent]] = {}
        for _, event in self.events:
            self._by_class.setdefault(type(event), []).append(event)

    def every(self, kind: type[E]) -> list[E]:
        return cast("list[E]", self._by_class.get(kind, []))

    def last(self, kind: type[E]) -> E | None:
        found = self.every(kind)
        return found[-1] if found else None


# What these kinds did was not written down by earlier versions.
_ENDED_PROCESSES = frozenset({"kill", "crash", "stop", "restart", "recreate"})


@dataclass(slots=True)
class EdgeLog:
    """What was recorded of one edge that a fault touches: its canaries, and whether it was used."""

    exchanges: dict[str, Exchange] = field(default_factory=dict)  # before, during, after
    traffic: Traffic | None = None  # of its real client, while the fault was in force
    uncounted: str | None = None  # why nobody knows that


class FaultLog(EventLog):
    """What was recorded of one fault."""

    @property
    def window(self) -> FaultWindow | None:
        """When it was in force, None when it never was."""
        begun = next(((t, one) for t, one in self.events if isinstance(one, FaultInjected)), None)
        if begun is None:
            return None
        # A stalled run heals again what its guard healed at the end of the lease: the first counts.
        healed = next((t for t, one in self.events if isinstance(one, FaultHealed)), None)
        t, one = begun
        ends = one.fault in _ENDED_PROCESSES if one.ends_processes is None else one.ends_processes
        unused = tuple(e.service for e in self.every(ServiceUsed) if e.connections == 0)
        return FaultWindow(
            one.id, one.fault, one.target, t, healed, one.services, ends, one.instant, unused
        )

    @property
    def heal_failed(self) -> str | None:
        """Why the run could not heal it; None where a later try did."""
        heals = [e for _, e in self.events if isinstance(e, FaultHealed | HealFailed) and not e.by]
        return heals[-1].reason if heals and isinstance(heals[-1], HealFailed) else None

    @property
    def watched(self) -> bool:
        """Return whether the run saw it through to its heal, or to the failure of that."""
        return any(not heal.by for heal in self.every(FaultHealed) + self.every(HealFailed))

    @property
    def edges(self) -> dict[str, EdgeLog]:
        """What was recorded of each edge that canaries go through."""
        found: dict[str, EdgeLog] = {}
        for _, event in self.events:
            match event:
                case CanaryExchanged(edge=edge, when=when, exchange=exchange):
                    found.setdefault(edge, EdgeLog()).exchanges[when] = exchange
                case EdgeUsed(edge=edge, traffic=traffic):
                    found.setdefault(edge, EdgeLog()).traffic = traffic
                case EdgeNotCounted(edge=edge, reason=reason):
                    found.setdefault(edge, EdgeLog()).uncounted = reason
        return found


class RunLog(EventLog):
    """What the events tell about a run; works for runs that were cut off at any moment."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        super().__init__(events)
        self.phases: list[Phase] = []
        by_fault: dict[str, list[Recorded]] = {}
        for one in self.events:
            follow_phase(self.phases, one)
            if isinstance(one.event, FaultEvent):
                by_fault.setdefault(one.event.id, []).append(one)
        self.faults = {id: FaultLog(events) for id, events in by_fault.items()}

    @property
    def windows(self) -> list[FaultWindow]:
        return [window for fault in self.faults.values() if (window := fault.window) is not None]

    @property
    def containers(self) -> list[ContainerEvent]:
        return [
            ContainerEvent(t, one.service, one.replica, one.action, one.exit_code)
            for t, one in self.events
            if isinstance(one, ContainerChanged)
        ]

    @property
    def services(self) -> Sequence[ServiceImage]:
        up = self.last(ServicesUp)
        return () if up is None else up.services

    @property
    def complete(self) -> bool:
        """Return whether the run came through its final phase, so that all evidence is there."""
        return any(one.phase == "final" and not one.cut_off for one in self.every(PhaseEnded))

    @property
    def moment(self) -> str:
        """How far the run got by itself, in words."""
        phases: list[Phase] = []
        for one in self.events:
            if isinstance(one.event, RecoveryStarted):
                break
            follow_phase(phases, one)
        if not phases:
            return "before it began"
        return f"{'in' if phases[-1].end is None else 'after'} the {phases[-1].name} phase"

    @property
    def left(self) -> list[LeftBehind]:
        """What is still there: the last to look says so, whoever that was."""
        found: list[LeftBehind] = []
        for _, event in self.events:
            if isinstance(event, RecoveryStarted):
                found = []
            elif isinstance(event, LeftBehind):
                found.append(event)
        return found


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything a run folder holds about its run, read once: all that judging looks at."""

    run_id: str
    log: RunLog
    evidence: Evidence

    @classmethod
    def read(
        cls,
        folder: Path,
        events: Sequence[Recorded] | None = None,
        observed: Evidence | None = None,
    ) -> RunRecord:
        """Read a run; `events` are its events where they have been read already, and `observed` has
        its samples and its history where those have.

        Raises `StoreFailed` for a row that cannot be understood.
        """
        log = RunLog(read_events(folder) if events is None else events)
        started = log.last(RunStarted)
        evidence = Evidence(
            phases=log.phases,
            faults=log.windows,
            samples=_samples(folder / SAMPLES) if observed is None else observed.samples,
            history=_history(folder / HISTORY) if observed is None else observed.history,
            containers=log.containers,
            logs=log_files(folder, None if started is None else started.started_at),
            log_gaps=[
                LogGap(one.service, one.start, one.end, one.reason)
                for one in log.every(LogIncomplete)
            ],
            services=[one.service for one in log.services],
            schedules={
                one.workload: one.schedule for one in log.every(WorkloadEnded) if one.schedule
            },
            edges=[
                EdgeUse(one.client, one.upstream, one.port, one.connections)
                for one in (log.last(EdgesObserved) or EdgesObserved(())).edges
            ],
        )
        return cls(folder.name, log, evidence)

    @property
    def started_at(self) -> datetime:
        """When the run started; of one that was killed before it said so, when its folder was
        made."""
        started = self.log.last(RunStarted)
        return started_at(self.run_id) if started is None else started.started_at


def stored_scenario(folder: Path) -> Scenario:
    """Return the scenario as it was run, with variables filled in and passwords masked.

    Raises `StoreFailed` when the folder does not hold it.
    """
    path = folder / PLAN
    try:
        document = read_document(path)["document"]
        return scenario_model().model_validate_json(json.dumps(document), strict=True)
    except FileNotFoundError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}", hint=_HINT) from error
    except (ValueError, KeyError, TypeError) as error:
        what = one_line(reason_of(error), 200)
        text = f"`{path}` does not hold the scenario of a run: {what}"
        raise StoreFailed(text, hint=_HINT) from error


def _samples(path: Path) -> dict[str, list[Sample]]:
    """Return the samples by probe."""
    groups: dict[str, list[Sample]] = {}
    for number, row in numbered_rows(path):
        try:
            sample = _sample(row)
        except (ValueError, KeyError) as error:
            what = one_line(reason_of(error), 200)
            raise StoreFailed(f"`{path}` line {number} is no sample: {what}") from error
        groups.setdefault(sample.probe, []).append(sample)
    return groups


def _sample(row: Row) -> Sample:
    probe, outcome, error = row["probe"], row["outcome"], row.get("error")
    if not isinstance(probe, str):
        raise ValueError("`probe` is no name")
    if outcome not in _OUTCOMES:
        raise ValueError(f"`outcome` is {shown(outcome)}")
    if error is not None and not isinstance(error, str):
        raise ValueError("`error` is no text")
    due, sent, done = (number_in(row, name) for name in ("due", "sent", "done"))
    stalled = number_in(row, "stalled") if "stalled" in row else 0.0
    return Sample(probe, due, sent, done, outcome, error, row.get("value"), stalled)


def _history(path: Path) -> Mapping[str, list[Event]]:
    """Return the operations by workload; none where no whole line was written."""
    try:
        first = next(files.lines(path), b"")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}") from error
    return read_history(path).events if first.endswith(b"\n") else {}
