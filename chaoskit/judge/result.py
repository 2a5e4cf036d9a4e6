"""The result document: the one thing every report is rendered from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chaoskit.errors import ExitCode, StoreFailed
from chaoskit.record.folder import RESULT, read_document, reason_of
from chaoskit.records import Verdict
from chaoskit.text import one_line

SCHEMA_VERSION = 2

EXIT_CODES = {
    Verdict.PASS: ExitCode.PASSED,
    Verdict.FAIL: ExitCode.FAILED,
    Verdict.UNKNOWN: ExitCode.UNKNOWN,
}


class Part(BaseModel):
    """A block of the result: frozen and closed, so that readers can rely on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RunInfo(Part):
    """Which run this was. `duration` is in seconds; `versions` maps component to version."""

    id: str
    scenario: str
    scenario_file: str
    description: str = ""
    tags: list[str] = []
    seed: int
    started_at: datetime
    duration: float
    versions: dict[str, str] = {}
    command: str = Field(description="the command that runs it again")
    guard_memory: int | None = Field(
        default=None, description="resident bytes of the guard beside the run"
    )


class PhaseResult(Part):
    """One phase, in run-clock seconds; `end` is null when the run was cut off in it."""

    name: str
    start: float
    end: float | None


class FaultResult(Part):
    """One fault: when it was in force, whether that is proven, and what it did."""

    id: str
    fault: str
    target: str
    injected_at: float | None
    healed_at: float | None
    proven: bool
    reason: str | None = Field(default=None, description="why it is not proven")
    evidence: list[str] = []
    felt: bool | None = Field(
        default=None, description="whether a probe or an operation changed while it was in force"
    )
    time_to_detect: float | None = None
    time_to_recover: float | None = None


class LogExcerpt(Part):
    """One container log line near a failure; `t` in run-clock seconds."""

    t: float
    service: str
    text: str


class Quantity(Part):
    """A quantity as a report says it and, where it is one number, that number in its unit: `s`
    (seconds), `ratio` (of 1) or `count`."""

    text: str
    value: float | None = None
    unit: Literal["s", "ratio", "count"] | None = None


class CheckResult(Part):
    """One check: its verdict, what was measured against which bound, and why."""

    check: str
    subject: str
    verdict: Verdict
    measured: Quantity
    bound: Quantity
    reason: str | None = None
    witness: list[str] = []
    notes: list[str] = Field(default=[], description="what to know beside the verdict")
    log_lines: list[LogExcerpt] = []
    at: float | None = Field(
        default=None, description="the moment that it is about, in run-clock seconds"
    )


class ProbeResult(Part):
    """What a probe saw over the whole run; latencies in seconds, lateness = sent after due."""

    name: str
    kind: str
    samples: int
    ok: int
    fail: int
    latency_p50: float | None = None
    latency_p99: float | None = None
    lateness_p99: float | None = None


class OperationCount(Part):
    """How the operations of one kind ended, and how many were sent of those that were due.

    `sent` and `due` are about the schedule: not about the reads before and after it. They are null
    where there was none, as for messages that came by themselves.
    """

    ok: int = 0
    fail: int = 0
    info: int = 0
    sent: int | None = None
    due: int | None = None


class WorkloadResult(Part):
    """What a workload did; seconds. Lateness is sent after due, latency runs from due."""

    name: str
    kind: str
    operations: dict[str, OperationCount]
    lateness_p99: float | None = None
    latency_p50: float | None = None
    latency_p99: float | None = None
    latency_p99_from_sent: float | None = None


class ServiceResult(Part):
    """A service of the stack and the exact image that ran."""

    service: str
    image: str
    digest: str
    peak_memory: int | None = Field(
        default=None, description="the most bytes that it used when looked at, every other second"
    )


class EdgeResult(Part):
    """An edge and what is known of it: possible, evidenced, proxied, observed."""

    client: str
    upstream: str
    port: int | None
    evidence: str | None = None
    proxied: bool = False
    connections: int | None = Field(default=None, description="seen through the proxy")


class DeathResult(Part):
    """What died, was restarted or was removed although no fault aimed at it: one replica, `times`
    times from `at` to `until`, in run-clock seconds."""

    service: str
    replica: int
    at: float
    until: float
    times: int
    reason: Literal["exited", "oom", "stopped", "removed"] = Field(
        description="by itself; for its memory; ended, or removed, by somebody else"
    )
    exit_code: int | None
    back_at: float | None = Field(description="when it was started again after the last time")
    down: bool = Field(description="not up in the end")
    allowed: bool = Field(description="the scenario says that it is meant")
    text: str
    last_lines: list[str] = Field(default=[], description="of its log before it died")


class StackResult(Part):
    """The system under test as it ran."""

    project: str
    services: list[ServiceResult] = []
    edges: list[EdgeResult] = []
    deaths: list[DeathResult] = []
    last_logs: dict[str, list[str]] = Field(
        default={}, description="last lines per service, when the steady state was not reached"
    )


class Leftover(Part):
    """Something of ours that could not be removed or healed, and the command that does it."""

    what: str
    command: str


class Result(Part):
    """One run from start to end."""

    schema_version: Literal[2] = 2
    run: RunInfo
    verdict: Verdict
    exit_code: int
    reason: str | None = Field(default=None, description="one sentence when it is not a pass")
    notes: list[str] = Field(default=[], description="what a reader should know besides")
    phases: list[PhaseResult] = []
    faults: list[FaultResult] = []
    checks: list[CheckResult] = []
    probes: list[ProbeResult] = []
    workloads: list[WorkloadResult] = []
    stack: StackResult
    leftovers: list[Leftover] = []


def stored_result(folder: Path) -> Result:
    """Read a run's result document. Raises `StoreFailed` when it has none that can be read."""
    try:
        (result,) = results_of(folder / RESULT)
    except FileNotFoundError as error:
        raise StoreFailed(
            f"run `{folder.name}` has no result: {error.strerror}",
            hint="it goes on, or it was killed and `chaoskit recover` finishes it",
        ) from error
    except ValueError:
        raise StoreFailed(f"`{folder / RESULT}` holds several results") from None
    return result


def results_of(path: Path) -> list[Result]:
    """Read the results of a file: one document, or a list of them.

    Raises `StoreFailed` when they cannot be read, and `FileNotFoundError`.
    """
    document = read_document(path)
    documents = document if isinstance(document, list) else [document]
    try:
        return [Result.model_validate(_upgraded(one)) for one in documents]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = one_line(reason_of(error), 200)
        text = f"`{path}` is not a result of this version of chaoskit: {what}"
        raise StoreFailed(text) from error


def _upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of version 1, which had sentences only, as one of this version."""
    if document["schema_version"] != 1:
        return document
    upgraded = document | {"schema_version": SCHEMA_VERSION}
    upgraded["checks"] = [
        check | {"measured": {"text": check["measured"]}, "bound": {"text": check["bound"]}}
        for check in document["checks"]
    ]
    for block, field in (("probes", "probe"), ("workloads", "workload")):
        upgraded[block] = [_named(one, field) for one in document[block]]
    return upgraded


def _named(block: dict[str, Any], field: str) -> dict[str, Any]:
    """Split `NAME (KIND)`."""
    name, _, kind = block[field].rpartition(" (")
    rest = {key: value for key, value in block.items() if key != field}
    return {"name": name, "kind": kind.removesuffix(")"), **rest}
