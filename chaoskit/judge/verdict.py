"""From what was recorded of a run to its result: a pure function, whoever calls it and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Literal

from chaoskit.checks._base import Check
from chaoskit.checks._health import clear, next_injection, time_to_detect, time_to_recover
from chaoskit.errors import ExitCode
from chaoskit.faults import Fault
from chaoskit.fields import Edge
from chaoskit.judge.deaths import Death, advice, deaths
from chaoskit.judge.excerpts import beside, of_unready
from chaoskit.judge.expected import with_expected
from chaoskit.judge.felt import unfelt
from chaoskit.judge.findings import findings_of
from chaoskit.judge.proof import prove, unanswered
from chaoskit.judge.result import (
    EXIT_CODES,
    CheckResult,
    DeathResult,
    EdgeResult,
    FaultResult,
    Leftover,
    LogExcerpt,
    PhaseResult,
    ProbeResult,
    Quantity,
    Result,
    RunInfo,
    ServiceResult,
    StackResult,
)
from chaoskit.judge.silent import silent
from chaoskit.judge.starvation import spells_of
from chaoskit.judge.steady import lost_before
from chaoskit.judge.workload import rounded_percentile, workload_result
from chaoskit.probes._base import Probe
from chaoskit.record.events import (
    EdgesObserved,
    FaultConcluded,
    GuardMeasured,
    Noted,
    PhaseEnded,
    ResourcesSampled,
    RunEndedEarly,
    RunnerStalled,
    RunStarted,
    RunUnproven,
)
from chaoskit.record.reader import FaultLog, RunLog, RunRecord
from chaoskit.records import (
    Evidence,
    FaultWindow,
    Finding,
    Numbers,
    Phase,
    Sample,
    Verdict,
    combined,
)
from chaoskit.scenario.document import Scenario

_BUSY = 0.25  # seconds of lateness of probes that a reader should know about


def judge(scenario: Scenario, record: RunRecord) -> Result:
    """Judge a run by what was recorded of it, with the checks of its scenario."""
    initial = {
        name: first
        for name, workload in scenario.workloads.items()
        if (first := getattr(workload, "initial", None)) is not None
    }
    log = record.log
    evidence = replace(record.evidence, initial=initial)
    findings, late = findings_of(scenario, evidence, spells_of(log.events))
    nobody = unfelt(evidence)
    probes = scenario.probes
    faults = [_fault(fault, log, evidence, nobody, probes) for fault in _wanted(scenario, log)]
    ended_early = _ended_early(log)
    stalled = log.last(RunnerStalled)
    died = deaths(scenario, log)
    reasons = _unproven_reasons(scenario, log, evidence, faults, died, ended_early, nobody)
    findings = with_expected(
        scenario, findings, _started(record).started_at.date(), proven=not reasons
    )
    verdict = combined([finding.verdict for _, finding in findings])
    # Half a run proves nothing, nor one in which somebody else took a part of the stack away.
    void = ended_early or stalled or any(one.interference for one in died)
    if void or (verdict is Verdict.PASS and reasons):
        verdict = Verdict.UNKNOWN
    early = log.last(RunEndedEarly) or RunEndedEarly("")
    edges = log.last(EdgesObserved) or EdgesObserved(())
    result = Result(
        run=_run_info(record, scenario),
        verdict=verdict,
        exit_code=EXIT_CODES[verdict] if early.exit_code is None else early.exit_code,
        reason=_reason(verdict, findings, reasons),
        notes=[
            *_notes(scenario, log, evidence),
            *late.values(),
            *_addresses_untested(edges, evidence),
            *advice(died),
            *nobody.values(),
        ],
        faults=faults,
        checks=[
            check_result(check, finding, beside(finding, check.subject, scenario, evidence))
            for check, finding in findings
        ],
        probes=[
            _probe(name, probe.probe, evidence.samples.get(name, ()))
            for name, probe in scenario.probes.items()
        ],
        workloads=[
            workload_result(name, workload.workload, evidence)
            for name, workload in scenario.workloads.items()
        ],
        stack=StackResult(
            project=_started(record).project,
            services=_services(log),
            edges=[EdgeResult(**asdict(one)) for one in edges.edges],
            deaths=[_death(one) for one in died],
            last_logs=_last_logs(scenario, log, evidence, early),
        ),
    )
    left = [Leftover(what=one.what, command=one.command) for one in log.left]
    return with_leftovers(result, left, log.phases)


def unjudged(record: RunRecord) -> Result:
    """Return the result of a run that was killed before there was a scenario in its folder."""
    return Result(
        run=_run_info(record),
        verdict=Verdict.UNKNOWN,
        exit_code=ExitCode.UNKNOWN,
        reason=_ended_early(record.log),
        stack=StackResult(project=_started(record).project),
    )


def with_leftovers(
    result: Result, leftovers: Sequence[Leftover], phases: Sequence[Phase]
) -> Result:
    """Return the result as it stands after teardown: with what is left, and the last phases."""
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


def _started(record: RunRecord) -> RunStarted:
    return record.log.last(RunStarted) or RunStarted(record.started_at)


def _run_info(record: RunRecord, scenario: Scenario | None = None) -> RunInfo:
    started, guard = _started(record), record.log.last(GuardMeasured)
    return RunInfo(
        id=record.run_id,
        scenario=record.run_id if scenario is None else scenario.name,
        scenario_file=started.file,
        description="" if scenario is None else scenario.description,
        tags=[] if scenario is None else scenario.tags,
        seed=started.seed,
        started_at=started.started_at,
        duration=0.0,
        versions=started.versions,
        command=started.command,
        guard_memory=None if guard is None else guard.memory,
    )


def _ended_early(log: RunLog) -> str | None:
    """Return why a run did not come to its end; one that was killed could not say it."""
    early = log.last(RunEndedEarly)
    if early is not None:
        return early.reason
    return None if log.complete else f"the run was cut off {log.moment}"


def _wanted(scenario: Scenario, log: RunLog) -> list[Fault]:
    """Return the faults that were to be injected: `--only-fault` leaves others out."""
    faults = scenario.injections()
    started = log.last(RunStarted)
    if started is not None and started.faults is not None:
        return [fault for fault in faults if fault.name in started.faults]
    concluded = [one.id for fault in log.faults.values() for one in fault.every(FaultConcluded)]
    return [fault for fault in faults if not concluded or fault.name in concluded]


def _detected(
    samples: Sequence[Sample], window: FaultWindow, until: float, probe: Probe
) -> float | None:
    """Return after how many seconds a probe failed by a fault; its next sample after the heal, and
    what it does within one deadline, still count."""
    return time_to_detect(samples, window, until, probe.every + probe.timeout)


def _fault(
    fault: Fault,
    log: RunLog,
    evidence: Evidence,
    unfelt: Mapping[str, str],
    probes: Mapping[str, Probe],
) -> FaultResult:
    fault_log = log.faults.get(fault.name, FaultLog(()))
    started = log.last(RunStarted)
    proof = prove(fault, fault_log, recorded=started is None or started.format > 1)
    window = fault_log.window
    result = FaultResult(
        id=fault.name,
        fault=fault.fault,
        target=fault.target,
        injected_at=None,
        healed_at=None,
        proven=proof.proven,
        reason=proof.reason,
        evidence=list(proof.evidence),
    )
    if window is None:
        return result
    noticed_by = next_injection(evidence.faults, window, window.injected)
    freed = clear(evidence.faults, window) or window.healed  # as the check counts it
    free = replace(window, healed=freed)
    back_by = next_injection(evidence.faults, window, freed or window.injected)
    detected = [
        t
        for name, probe in probes.items()
        if (t := _detected(evidence.samples.get(name, ()), window, noticed_by, probe)) is not None
    ]
    recovered = [time_to_recover(s, free, back_by) for s in evidence.samples.values()]
    complete = [t for t in recovered if t is not None]
    return result.model_copy(
        update={
            "injected_at": window.injected,
            "healed_at": window.healed,
            "felt": fault.name not in unfelt,
            "time_to_detect": min(detected, default=None),
            "time_to_recover": max(complete) if len(complete) == len(recovered) > 0 else None,
        }
    )


def _unproven_reasons(
    scenario: Scenario,
    log: RunLog,
    evidence: Evidence,
    faults: Sequence[FaultResult],
    died: Sequence[Death],
    ended_early: str | None,
    unfelt: Mapping[str, str],
) -> list[str]:
    """Return every reason why this run may not count as a pass, the weightiest first."""
    reasons = [] if ended_early is None else [ended_early]
    reasons += [one.text for one in log.every(RunnerStalled)[-1:]]
    reasons += [one.text for one in died if one.interference]
    reasons += [one.text for one in log.every(RunUnproven)]
    if ended_early:
        return reasons
    reasons += lost_before(
        evidence.faults,
        evidence.samples,
        {name: probe.asks() for name, probe in scenario.probes.items()},
    )
    reasons += [one.text for one in died if one.unsettling and not one.interference]
    reasons += [f"fault `{f.id}` is not proven: {f.reason}" for f in faults if not f.proven]
    if scenario.fail_if_unfelt:
        reasons += unfelt.values()
    reasons += silent(scenario, evidence)
    return reasons + [
        f"after fault `{id}` was healed, its canary got no answer: {said}"
        for id, fault in log.faults.items()
        for edge, said in unanswered(fault).items()
        if not scenario.may(Edge.parse(edge).upstream, "exit")
    ]


def _last_logs(
    scenario: Scenario, log: RunLog, evidence: Evidence, early: RunEndedEarly
) -> dict[str, list[str]]:
    """Return the log lines that explain a steady state that was not reached, by service."""
    if early.last_logs:
        return {service: list(lines) for service, lines in early.last_logs.items()}
    unmet = any(one.phase == "gate" and one.cut_off for one in log.every(PhaseEnded))
    return of_unready(scenario, evidence) if unmet else {}


def _services(log: RunLog) -> list[ServiceResult]:
    peaks: dict[str, int] = {}
    for sampled in log.every(ResourcesSampled):
        for name, memory in sampled.services.items():
            peaks[name] = max(memory, peaks.get(name, 0))
    return [
        ServiceResult(**asdict(one), peak_memory=peaks.get(one.service)) for one in log.services
    ]


def _death(death: Death) -> DeathResult:
    return DeathResult(
        service=death.service,
        replica=death.replica,
        at=round(death.at, 3),
        until=round(death.until, 3),
        times=death.times,
        reason=death.reason,
        exit_code=death.exit_code,
        back_at=None if death.back is None else round(death.back, 3),
        down=death.down,
        allowed=death.allowed,
        text=death.text,
        last_lines=list(death.lines),
    )


def _reason(
    verdict: Verdict, findings: Sequence[tuple[Check, Finding]], unproven_reasons: Sequence[str]
) -> str | None:
    if verdict is Verdict.PASS:
        return None
    said = [finding.reason for _, finding in findings if finding.verdict is verdict]
    if verdict is Verdict.FAIL:
        return next((reason for reason in said if reason), "a check failed")
    return next((r for r in (*unproven_reasons, *said) if r), "there was nothing to judge")


def _notes(scenario: Scenario, log: RunLog, evidence: Evidence) -> list[str]:
    notes = [one.text for one in log.every(Noted)]
    if not scenario.timeline.faults:
        notes.append("a rehearsal without faults: it measures start-up and baseline only")
    late = max((s.sent - s.due for found in evidence.samples.values() for s in found), default=0.0)
    if late > _BUSY:
        notes.append(
            f"this machine was busy: a probe was sent {late:.2f} s late, and latencies include that"
        )
    return notes


def _addresses_untested(edges: EdgesObserved, evidence: Evidence) -> list[str]:
    """Return, for each service that came back behind a proxy, what its clients never had to do."""
    clients: dict[str, set[str]] = {}
    for edge in edges.edges:
        if edge.proxied:
            clients.setdefault(edge.upstream, set()).add(f"`{edge.client}`")
    hit = [name for one in evidence.faults if one.ends_processes for name in one.services]
    return [
        f"{', '.join(sorted(clients[name]))} reached `{name}` through a proxy, whose address stays:"
        f" that they find a changed address of `{name}` was not tested"
        for name in dict.fromkeys(hit)
        if name in clients
    ]


def check_result(
    check: Check, finding: Finding, log_lines: Sequence[LogExcerpt] = ()
) -> CheckResult:
    """Return a finding as the result document holds it."""
    return CheckResult(
        check=check.check,
        subject=check.subject,
        verdict=finding.verdict,
        measured=_quantity(finding.measured, finding.numbers, "measured"),
        bound=_quantity(finding.bound, finding.numbers, "limit"),
        reason=finding.reason,
        witness=list(finding.witness),
        log_lines=list(log_lines),
        notes=list(finding.notes),
        at=None if finding.at is None else round(finding.at, 6),
    )


def _quantity(text: str, numbers: Numbers | None, which: Literal["measured", "limit"]) -> Quantity:
    value = None if numbers is None else getattr(numbers, which)
    if numbers is None or value is None:
        return Quantity(text=text)
    return Quantity(text=text, value=round(value, 6), unit=numbers.unit)


def _probe(name: str, kind: str, samples: Sequence[Sample]) -> ProbeResult:
    good = sorted(s.latency for s in samples if s.outcome == "ok")
    late = sorted(s.sent - s.due for s in samples)
    return ProbeResult(
        name=name,
        kind=kind,
        samples=len(samples),
        ok=len(good),
        fail=len(samples) - len(good),
        latency_p50=rounded_percentile(good, 50),
        latency_p99=rounded_percentile(good, 99),
        lateness_p99=rounded_percentile(late, 99),
    )
