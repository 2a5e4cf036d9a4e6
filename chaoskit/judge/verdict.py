"""From a run folder to its result: checks, verdict, exit code. No clock, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from chaoskit.checks._base import Check
from chaoskit.checks._health import next_injection, time_to_detect, time_to_recover
from chaoskit.errors import ExitCode
from chaoskit.faults import Fault
from chaoskit.judge.result import (
    EXIT_CODES,
    CheckResult,
    EdgeResult,
    FaultResult,
    Leftover,
    LogExcerpt,
    OperationCount,
    PhaseResult,
    ProbeResult,
    Result,
    RunInfo,
    ServiceResult,
    StackResult,
    WorkloadResult,
)
from chaoskit.numeric import percentile
from chaoskit.probes._base import Probe
from chaoskit.record.history import without_collecting
from chaoskit.record.reader import RunLog, read_evidence, read_run_log
from chaoskit.records import Event, Evidence, Finding, LogLine, Sample, Verdict, combined
from chaoskit.scenario.document import Scenario

_PROBED = ("gate", "baseline", "faults", "heal", "settle")
_ENOUGH = 0.8  # of the samples that were due
_BUSY = 0.25  # seconds of lateness of probes that a reader should know about
_LOG_LINES = 4
_LOG_MARGIN = 1.5  # seconds around a failure from which log lines are shown


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the runner knows besides the files: how the run ended and what is left."""

    run_id: str
    scenario_file: str
    seed: int
    command: str
    project: str
    versions: Mapping[str, str] = field(default_factory=dict)
    ended_early: str | None = None  # why, in one sentence
    exit_code: ExitCode | None = None  # forced by the way it ended
    lateness: Mapping[str, float] = field(default_factory=dict)  # p99 by workload, seconds
    last_logs: Mapping[str, list[str]] = field(default_factory=dict)


def judge(scenario: Scenario, folder: Path, context: RunContext) -> Result:
    """Judge a stored run with the checks of its scenario."""
    log = read_run_log(folder)
    with without_collecting():
        initial = {
            name: first
            for name, workload in scenario.workloads.items()
            if (first := getattr(workload, "initial", None)) is not None
        }
        evidence = read_evidence(folder, initial)
        findings = [(check, judged(check, evidence)) for check in scenario.expect]
    faults = [_fault(fault, log, evidence) for fault in _wanted(scenario, log)]
    doubts = _doubts(scenario, log, evidence, faults, context)
    verdict = combined([finding.verdict for _, finding in findings])
    if context.ended_early or log.stuck or (verdict is Verdict.PASS and doubts):
        verdict = Verdict.UNKNOWN  # half a run proves nothing, whatever its checks say of it
    reason = _reason(verdict, findings, doubts)
    return Result(
        run=RunInfo(
            id=context.run_id,
            scenario=scenario.name,
            scenario_file=context.scenario_file,
            description=scenario.description,
            tags=scenario.tags,
            seed=context.seed,
            started_at=log.started_at or datetime.now(UTC),
            duration=round(max((p.end or p.start for p in log.phases), default=0.0), 3),
            versions=dict(context.versions),
            command=context.command,
            guard_memory=log.guard_memory,
        ),
        verdict=verdict,
        exit_code=_exit_code(verdict, context),
        reason=reason,
        notes=_notes(scenario, log, evidence),
        phases=[PhaseResult(name=p.name, start=p.start, end=p.end) for p in log.phases],
        faults=faults,
        checks=[
            check_result(check, finding, _log_lines(finding, evidence))
            for check, finding in findings
        ],
        probes=[
            _probe(name, probe.probe, evidence.samples.get(name, ()))
            for name, probe in scenario.probes.items()
        ],
        workloads=[
            _workload(
                name,
                workload.workload,
                evidence.history.get(name, ()),
                context.lateness.get(name),
            )
            for name, workload in scenario.workloads.items()
        ],
        stack=StackResult(
            project=context.project,
            services=[ServiceResult.model_validate(dict(row)) for row in log.services],
            edges=[EdgeResult.model_validate(dict(row)) for row in log.edges],
            last_logs=dict(context.last_logs),
        ),
    )


def with_leftovers(result: Result, leftovers: Sequence[Leftover], folder: Path) -> Result:
    """Return the result as it stands after teardown: with what is left, and the last phases."""
    phases = read_run_log(folder).phases
    return result.model_copy(
        update={
            "leftovers": list(leftovers),
            "exit_code": ExitCode.LEFT_BEHIND if leftovers else result.exit_code,
            "phases": [PhaseResult(name=p.name, start=p.start, end=p.end) for p in phases],
            "run": result.run.model_copy(
                update={"duration": round(max((p.end or p.start for p in phases), default=0.0), 3)}
            ),
        }
    )


def judged(check: Check, evidence: Evidence) -> Finding:
    """Judge one check; a check that breaks is `unknown`, never a pass."""
    try:
        return check.judge(evidence)
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others
        return Finding(
            Verdict.UNKNOWN,
            "nothing",
            "",
            f"the check itself failed: {type(error).__name__}: {error}",
        )


def _wanted(scenario: Scenario, log: RunLog) -> list[Fault]:
    """Return the faults that were to be injected: `--only-fault` leaves others out."""
    faults = scenario.injections()
    return [f for f in faults if not log.concluded or f.name in log.concluded]


def _fault(fault: Fault, log: RunLog, evidence: Evidence) -> FaultResult:
    fault_id = fault.name
    window = log.faults.get(fault_id)
    concluded = log.concluded.get(fault_id, {})
    proven = bool(concluded.get("proven"))
    reason = concluded.get("reason")
    if window is None:
        return FaultResult(
            id=fault_id,
            fault=fault.fault,
            target=fault.target,
            injected_at=None,
            healed_at=None,
            proven=False,
            reason=reason or "it was never injected",
        )
    noticed_by = next_injection(evidence.faults, window, window.injected)
    back_by = next_injection(evidence.faults, window, window.healed or window.injected)
    detected = [
        t
        for samples in evidence.samples.values()
        if (t := time_to_detect(samples, window, noticed_by)) is not None
    ]
    recovered = [time_to_recover(s, window, back_by) for s in evidence.samples.values()]
    complete = [t for t in recovered if t is not None]
    return FaultResult(
        id=fault_id,
        fault=window.fault,
        target=window.target,
        injected_at=window.injected,
        healed_at=window.healed,
        proven=proven,
        reason=None if proven else reason or "the run ended before it was proven",
        evidence=list(concluded.get("evidence", ())),
        time_to_detect=min(detected, default=None),
        time_to_recover=max(complete) if complete and len(complete) == len(recovered) else None,
    )


def _doubts(
    scenario: Scenario,
    log: RunLog,
    evidence: Evidence,
    faults: Sequence[FaultResult],
    context: RunContext,
) -> list[str]:
    """Return every reason why this run may not count as a pass, the weightiest first."""
    doubts = [why for why in (context.ended_early, log.stuck) if why]
    doubts += log.doubts
    if context.ended_early:
        return doubts
    doubts += [f"fault `{f.id}` is not proven: {f.reason}" for f in faults if not f.proven]
    for name, probe in scenario.probes.items():
        if (doubt := _silent(name, probe, evidence)) is not None:
            doubts.append(doubt)
    for name in scenario.workloads:
        events = evidence.history.get(name, ())
        if not any(event.type == "ok" for event in events):
            doubts.append(f"workload `{name}` had no successful operation")
    return doubts


def _silent(name: str, probe: Probe, evidence: Evidence) -> str | None:
    """Say when a probe did not really run: without it, nobody was looking."""
    count = len(evidence.samples.get(name, ()))
    if not count:
        return f"probe `{name}` gave no sample"
    watched = [p for p in evidence.phases if p.name in _PROBED and p.end is not None]
    due = (watched[-1].end or 0.0) - watched[0].start if watched else 0.0
    expected = int(due / probe.every)
    if count < expected * _ENOUGH:
        return f"probe `{name}` gave {count} of {expected} samples"
    return None


def _reason(
    verdict: Verdict, findings: Sequence[tuple[Check, Finding]], doubts: Sequence[str]
) -> str | None:
    if verdict is Verdict.PASS:
        return None
    said = [finding.reason for _, finding in findings if finding.verdict is verdict]
    if verdict is Verdict.FAIL:
        return next((reason for reason in said if reason), "a check failed")
    return next(iter(doubts), None) or next((r for r in said if r), "there was nothing to judge")


def _exit_code(verdict: Verdict, context: RunContext) -> ExitCode:
    return EXIT_CODES[verdict] if context.exit_code is None else context.exit_code


def _notes(scenario: Scenario, log: RunLog, evidence: Evidence) -> list[str]:
    notes = list(log.notes)
    if not scenario.timeline.faults:
        notes.append("a rehearsal without faults: it measures start-up and baseline only")
    late = max((s.sent - s.due for found in evidence.samples.values() for s in found), default=0.0)
    if late > _BUSY:
        notes.append(
            f"this machine was busy: a probe was sent {late:.2f} s late, and latencies include that"
        )
    return notes


def check_result(
    check: Check, finding: Finding, log_lines: Sequence[LogExcerpt] = ()
) -> CheckResult:
    """Return a finding as the result document holds it."""
    return CheckResult(
        check=check.check,
        subject=check.subject,
        verdict=finding.verdict,
        measured=finding.measured,
        bound=finding.bound,
        reason=finding.reason,
        witness=list(finding.witness),
        log_lines=list(log_lines),
        notes=list(finding.notes),
    )


def _log_lines(finding: Finding, evidence: Evidence) -> list[LogExcerpt]:
    """Return the few log lines closest to the moment a failure is about."""
    if finding.verdict is Verdict.PASS or finding.at is None:
        return []
    at = finding.at
    near: list[LogLine] = [
        line
        for service, lines in evidence.logs.items()
        if (not finding.services or service in finding.services)
        and not service.startswith("chaoskit-")
        for line in lines
        if abs(line.t - at) <= _LOG_MARGIN
    ]
    closest = sorted(near, key=lambda line: abs(line.t - at))[:_LOG_LINES]
    return [
        LogExcerpt(t=round(line.t, 3), service=line.service, text=line.text[:400])
        for line in sorted(closest, key=lambda line: line.t)
    ]


def _probe(name: str, kind: str, samples: Sequence[Sample]) -> ProbeResult:
    good = sorted(s.latency for s in samples if s.outcome == "ok")
    late = sorted(s.sent - s.due for s in samples)
    return ProbeResult(
        probe=f"{name} ({kind})",
        samples=len(samples),
        ok=len(good),
        fail=len(samples) - len(good),
        latency_p50=_percentile(good, 50),
        latency_p99=_percentile(good, 99),
        lateness_p99=_percentile(late, 99),
    )


def _workload(
    name: str, kind: str, events: Sequence[Event], lateness: float | None
) -> WorkloadResult:
    counts: dict[str, dict[str, int]] = {}
    for event in events:
        tally = counts.setdefault(event.op, {"ok": 0, "fail": 0, "info": 0})
        if event.type in tally:
            tally[event.type] += 1
    return WorkloadResult(
        workload=f"{name} ({kind})",
        operations={op: OperationCount(**tally) for op, tally in counts.items()},
        lateness_p99=None if lateness is None else round(lateness, 6),
    )


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Return a percentile of sorted values as results hold it, None where there are none."""
    return round(percentile(ordered, percent), 6) if ordered else None
