"""Builders of evidence: a run with phases 0-3 baseline, 3-13 faults, 13-20 settle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from chaoskit.checks._base import REGISTRY, Check
from chaoskit.records import (
    ContainerEvent,
    Event,
    Evidence,
    FaultWindow,
    Finding,
    Json,
    Log,
    LogGap,
    LogLine,
    Phase,
    Sample,
)

PHASES = (
    Phase("up", -2.0, -1.0),
    Phase("baseline", 0.0, 3.0),
    Phase("faults", 3.0, 13.0),
    Phase("heal", 13.0, 13.1),
    Phase("settle", 13.1, 20.0),
    Phase("final", 20.0, 21.0),
)


class Build:
    """Short ways to write evidence down."""

    def fault(
        self,
        injected: float = 10.0,
        healed: float | None = 12.0,
        fault_id: str = "kill",
        kind: str = "kill",
        target: str = "redis",
    ) -> FaultWindow:
        return FaultWindow(fault_id, kind, target, injected, healed, (target,), kind == "kill")

    def samples(
        self,
        bad: Callable[[float], bool] = lambda due: False,
        *,
        start: float = 0.0,
        end: float = 20.0,
        every: float = 0.1,
        took: float = 0.01,
        took_bad: float = 0.01,
        probe: str = "cache",
    ) -> list[Sample]:
        """Return samples every 100 ms; those for whose due time `bad` says so fail."""
        found = []
        for index in range(round((end - start) / every)):
            due = round(start + index * every, 6)
            outcome = "fail" if bad(due) else "ok"
            error = "connection refused" if bad(due) else None
            done = due + (took_bad if bad(due) else took)
            found.append(Sample(probe, due, due, done, outcome, error))  # type: ignore[arg-type]
        return found

    def evidence(
        self,
        *,
        samples: Sequence[Sample] = (),
        faults: Sequence[FaultWindow] = (),
        history: Sequence[Event] | None = None,
        containers: Sequence[ContainerEvent] = (),
        logs: Sequence[LogLine] | None = None,
        gaps: Sequence[LogGap] = (),
    ) -> Evidence:
        return Evidence(
            PHASES,
            faults,
            {samples[0].probe: samples} if samples else {},
            {} if history is None else {"members": history},
            containers,
            {} if logs is None else {"chat": Log(logs)},
            services=("chat", "redis", "postgres"),
            log_gaps=gaps,
        )

    def check(self, kind: str, **fields: Any) -> Check:
        found = REGISTRY.get(kind)
        assert found is not None
        return found.model_validate({"check": kind, **fields})

    def judge(self, kind: str, evidence: Evidence, **fields: Any) -> Finding:
        if "members" in evidence.history:
            fields.setdefault("workload", "members")
        elif kind in ("stays_up", "restarts", "logs"):
            fields.setdefault("service", "chat")
        elif not kind.startswith("no_"):
            fields.setdefault("probe", "cache")
        return self.check(kind, **fields).judge(evidence)


@dataclass(slots=True)
class Line:
    """One operation of a history that is being written."""

    op: str
    start: float
    end: float | None
    how: str
    value: Json
    error: str | None = None


class SetStory:
    """A history of a set workload: adds every 0.5 s from 0.5 s to 19 s, then three final reads."""

    def __init__(self) -> None:
        self.lines = [Line("add", 0.5 * n, 0.5 * n + 0.01, "ok", 1000 + n) for n in range(1, 39)]
        self.first: list[Json] = []
        self.truth: list[Json] = [line.value for line in self.lines]
        self.read: list[Json] = list(self.truth)

    def add(self, value: Json, start: float, how: str, error: str | None = None) -> None:
        self.lines.append(Line("add", start, start + 0.01, how, value, error))

    def end(self, value: Json, how: str) -> None:
        """Let the add of `value` end differently."""
        next(line for line in self.lines if line.op == "add" and line.value == value).how = how

    def events(self, *, final: int = 3, error: str | None = None) -> list[Event]:
        lines = list(self.lines)
        for view, shown in (("read", self.read), ("truth", self.truth)):
            lines.append(Line(view, 0.1, 0.2, "ok", self.first))
            for n in range(final):
                how = "ok" if error is None else "fail"
                lines.append(Line(view, 20.1 + 0.1 * n, 20.15 + 0.1 * n, how, list(shown), error))
        found = []
        for number, line in enumerate(lines):
            sent = line.value if line.op == "add" else None
            common = (0, "members", line.op, None)
            found.append(Event(line.start, "invoke", *common, sent, number))
            if line.end is not None and line.how != "none":
                ended: Any = line.how
                found.append(Event(line.end, ended, *common, line.value, number, line.error))
        return sorted(found, key=lambda event: event.t)


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def story() -> SetStory:
    return SetStory()
