"""What every check shares: its fields, its window, its registration. Checks are pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaoskit.checks.histories.operations import pairs
from chaoskit.fields import Model, seconds_text
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Outcome, Sample, Verdict
from chaoskit.registry import Registry


class DuringFault(Model):
    """Only while one fault was in force."""

    fault: str


class Check(Model):
    """A rule over samples, history, container events or logs; `judge` gives its finding."""

    kind: ClassVar[str]
    example: ClassVar[str] = ""
    formal: ClassVar[str] = ""  # the name that the literature uses for what it finds
    cannot_tell: ClassVar[str] = ""  # what a pass does not prove
    remedy: ClassVar[str] = ""  # what turns an `unknown` into an answer

    check: str
    during: Literal["baseline", "faults", "settle", "all"] | DuringFault = "all"

    @property
    def subject(self) -> str:
        """The probe, workload or service this check is about."""
        raise NotImplementedError

    def judge(self, evidence: Evidence) -> Finding:
        raise NotImplementedError


REGISTRY: Registry[Check] = Registry("check", "chaoskit.checks")
check = REGISTRY.register


class ProbeCheck(Check):
    """A check over the samples of one probe."""

    probe: str

    @property
    def subject(self) -> str:
        return self.probe


class SampledCheck(Check):
    """A check over the samples of a probe, or over the operations of a workload of any kind.

    An operation is a sample from its invocation to its completion: the history does not say when it
    was due. `op` picks one kind of operation.
    """

    probe: str | None = None
    workload: str | None = None
    op: str | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.probe is None) == (self.workload is None):
            raise ValueError("give either `probe` or `workload`")
        if self.op is not None and self.workload is None:
            raise ValueError("`op` goes with `workload`")
        return self

    @property
    def subject(self) -> str:
        return self.probe or self.workload or ""

    @property
    def what(self) -> str:
        """The subject as a sentence names it."""
        if self.probe is not None:
            return f"probe `{self.probe}`"
        return f"{f'`{self.op}` of ' if self.op else ''}workload `{self.workload}`"

    @property
    def unit(self) -> str:
        """What is counted: samples or operations."""
        return "operation" if self.probe is None else "sample"

    def samples(self, evidence: Evidence) -> list[Sample] | str:
        """Return the samples due inside the window, or a sentence why there are none."""
        if self.probe is not None:
            return samples_in(self, self.probe, evidence)
        span = window(self, evidence)
        if isinstance(span, str):
            return span
        events = evidence.history.get(self.workload or "", ())
        made = [s for s in _as_samples(events, self.op) if span[0] <= s.due <= span[1]]
        return made or f"{self.what} gave no operation in this window"


class WorkloadCheck(Check):
    """A check over the history of one workload; `workloads` names the kinds it can judge."""

    workloads: ClassVar[tuple[str, ...]] = ()

    workload: str
    minimum: Annotated[
        int,
        Field(
            ge=1,
            description="How many operations must have been seen before, during and after the "
            "faults; with fewer the answer is `unknown`.",
        ),
    ] = 1

    @property
    def subject(self) -> str:
        return self.workload


class ServiceCheck(Check):
    """A check over the containers or the log of one service."""

    service: str

    @property
    def subject(self) -> str:
        return self.service


def window(check: Check, evidence: Evidence) -> tuple[float, float] | str:
    """Return the (start, end) of the check's `during`, or a sentence why there is none.

    `all` runs from the start of the baseline to the end of the settle phase: start-up is not held
    against the stack, and neither are the final reads.
    """
    if isinstance(check.during, DuringFault):
        fault = find_fault(evidence, check.during.fault)
        if fault is None:
            return f"fault `{check.during.fault}` was never injected"
        last = max((p.end or p.start for p in evidence.phases), default=fault.injected)
        return fault.injected, last if fault.healed is None else fault.healed
    if check.during == "all":
        names: Sequence[str] = ("baseline", "faults", "heal", "settle")
    else:
        names = (check.during,)
    phases = [phase for phase in evidence.phases if phase.name in names]
    if not phases:
        return f"the run never reached the {names[0]} phase"
    start = phases[0].start
    end = phases[-1].end
    return (start, float("inf") if end is None else end)


def find_fault(evidence: Evidence, fault_id: str) -> FaultWindow | None:
    return next((fault for fault in evidence.faults if fault.id == fault_id), None)


def fault_windows(evidence: Evidence, fault_id: str | None) -> Sequence[FaultWindow] | str:
    """Return the one fault named, or every fault; or a sentence why there is none."""
    if fault_id is not None:
        fault = find_fault(evidence, fault_id)
        return f"fault `{fault_id}` was never injected" if fault is None else [fault]
    return evidence.faults or "no fault was injected in this run"


def samples_in(check: Check, probe: str, evidence: Evidence) -> list[Sample] | str:
    """Return the probe's samples due inside the window, or a sentence why there are none."""
    span = window(check, evidence)
    if isinstance(span, str):
        return span
    start, end = span
    found = [s for s in evidence.samples.get(probe, ()) if start <= s.due <= end]
    return found or f"probe `{probe}` gave no sample in this window"


def _as_samples(events: Sequence[Event], op: str | None) -> list[Sample]:
    """Return operations as samples; one without a completion lasts until the history ends."""
    end_of_history = events[-1].t if events else 0.0
    ops = {event.op for event in events} if op is None else {op}
    found = []
    for begin, end in pairs(events, ops):
        done = end_of_history if end is None else end.t
        outcome: Outcome = "info"
        error: str | None = "no answer before the end of the history"
        if end is not None:
            error = end.error
            outcome = "ok" if end.type == "ok" else "fail" if end.type == "fail" else "info"
        found.append(Sample(begin.op, begin.t, begin.t, done, outcome, error))
    return sorted(found, key=lambda sample: sample.due)


def unknown(bound: str, reason: str) -> Finding:
    """Return the finding of a check that had nothing to judge."""
    return Finding(Verdict.UNKNOWN, "nothing", bound, reason)


def fault_at(evidence: Evidence, t: float) -> str:
    """Say in words which fault was in force at `t`, else how far the nearest one was."""
    active = [str(fault) for fault in evidence.faults if fault.covers(t)]
    if active:
        return "during " + ", ".join(active)
    near = [
        (fault.injected - t, "before", fault) for fault in evidence.faults if fault.injected > t
    ]
    near += [(t - f.healed, "after", f) for f in evidence.faults if f.healed and f.healed < t]
    if not near:
        return "outside every fault window"
    distance, way, fault = min(near, key=lambda row: row[0])
    return f"{seconds_text(distance)} {way} {fault}"
