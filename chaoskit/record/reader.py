"""Reading a run folder back: everything that checks may look at comes from its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from chaoskit.clock import parse_stamp
from chaoskit.record.folder import read_ndjson
from chaoskit.record.history import read_history
from chaoskit.record.writer import EVENTS, HISTORY, SAMPLES
from chaoskit.records import (
    ContainerEvent,
    Event,
    Evidence,
    FaultWindow,
    Json,
    LogLine,
    Phase,
    Sample,
)

Row = Mapping[str, Any]

# What these kinds do was not written down by earlier versions.
_ENDS_PROCESSES = frozenset({"kill", "crash", "stop", "restart", "recreate"})


@dataclass(slots=True)
class RunLog:
    """What `events.ndjson` tells about a run."""

    started_at: datetime | None = None
    phases: list[Phase] = field(default_factory=list)
    faults: dict[str, FaultWindow] = field(default_factory=dict)
    concluded: dict[str, Row] = field(default_factory=dict)
    containers: list[ContainerEvent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)  # why the run as a whole is not proven
    stuck: str | None = None  # why chaoskit itself saw nothing for a while
    edges: list[Row] = field(default_factory=list)
    services: list[Row] = field(default_factory=list)
    guard_memory: int | None = None  # bytes


def read_run_log(folder: Path) -> RunLog:
    """Read the events of a run; works for runs that were cut off at any moment."""
    log = RunLog()
    for row in read_ndjson(folder / EVENTS):
        _add(log, cast("Row", row))
    return log


def _add(log: RunLog, row: Row) -> None:
    t = float(row["t"])
    match row["event"]:
        case "run_started":
            log.started_at = datetime.fromisoformat(row["started_at"])
        case "phase_started":
            log.phases.append(Phase(row["phase"], t, None))
        case "phase_ended":
            last = log.phases[-1]
            log.phases[-1] = Phase(last.name, last.start, t)
        case "fault_injected" | "fault_healed" | "fault_concluded":
            _add_fault(log, row, t)
        case "container":
            log.containers.append(
                ContainerEvent(t, row["service"], row["replica"], row["action"], row["exit_code"])
            )
        case "note":
            log.notes.append(row["text"])
        case "doubt":
            log.doubts.append(row["text"])
        case "stuck":
            log.stuck = row["text"]
        case "edges":
            log.edges = list(row["edges"])
        case "guard":
            log.guard_memory = row["memory"]
        case "services":
            log.services = list(row["services"])


def _add_fault(log: RunLog, row: Row, t: float) -> None:
    was = log.faults.get(row["id"])
    match row["event"]:
        case "fault_injected":
            services = tuple(row["services"])
            ends = row.get("ends_processes", row["fault"] in _ENDS_PROCESSES)
            log.faults[row["id"]] = FaultWindow(
                row["id"], row["fault"], row["target"], t, None, services, ends
            )
        # A stuck run heals again what its guard healed when the lease was over: the first counts.
        case "fault_healed" if was is not None and was.healed is None:
            log.faults[row["id"]] = replace(was, healed=t)
        case "fault_concluded":
            log.concluded[row["id"]] = row


def read_evidence(folder: Path, initial: Mapping[str, Json] = {}) -> Evidence:
    """Return everything the checks of a stored run may look at.

    `initial` says, by workload, what its keys hold before they are written.
    """
    log = read_run_log(folder)
    return Evidence(
        phases=log.phases,
        faults=list(log.faults.values()),
        samples=_grouped(read_ndjson(folder / SAMPLES), "probe", _sample),
        history=_history(folder / HISTORY),
        containers=log.containers,
        logs=_logs(folder / "logs", log.started_at),
        services=[str(row["service"]) for row in log.services],
        initial=initial,
    )


def _grouped(rows: Iterable[Mapping[str, Json]], key: str, make: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(str(row[key]), []).append(make(row))
    return groups


def _sample(row: Row) -> Sample:
    return Sample(
        row["probe"],
        row["due"],
        row["sent"],
        row["done"],
        row["outcome"],
        row.get("error"),
        row.get("value"),
    )


def _history(path: Path) -> Mapping[str, list[Event]]:
    """Return the operations by workload; none where no whole line was written."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        if not file.readline().endswith(b"\n"):
            return {}
    return read_history(path).events


def _logs(folder: Path, started_at: datetime | None) -> dict[str, list[LogLine]]:
    logs: dict[str, list[LogLine]] = {}
    if started_at is None or not folder.is_dir():
        return logs
    for path in sorted(folder.glob("*.log")):
        lines = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            stamp, _, text = line.partition(" ")
            when = parse_stamp(stamp)
            if when is not None:
                lines.append(LogLine((when - started_at).total_seconds(), path.stem, text))
        logs[path.stem] = sorted(lines, key=lambda entry: entry.t)
    return logs
