"""What surrounds the rule of every check: its fields, its window, its registration."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from chaoskit.checks._coverage import Need, coverage_gap
from chaoskit.checks._schedule import operations, sent_of_due, too_few_sent
from chaoskit.checks._wording import Judged, build_finding
from chaoskit.fields import Model
from chaoskit.records import (
    Event,
    Evidence,
    FaultWindow,
    Finding,
    Json,
    Numbers,
    Sample,
    Verdict,
    injected_again,
)
from chaoskit.registry import Registry
from chaoskit.text import count, seconds_text

ALL = (float("-inf"), float("inf"))

_op = attrgetter("op")


class NotJudged(Exception):
    """There is nothing to judge; `reason` is the sentence that says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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
    during: Annotated[
        Literal["baseline", "faults", "settle", "all"] | DuringFault,
        Field(
            description="What is judged: one phase, one fault, or from the start of the baseline "
            "to the end of the settle phase (`all`): start-up is not held against the stack."
        ),
    ] = "all"

    @property
    def subject(self) -> str:
        """The probe, workload or service this check is about."""
        raise NotImplementedError

    @property
    def bound(self) -> str:
        """What is allowed, in words."""
        raise NotImplementedError

    def judge(self, evidence: Evidence) -> Finding:
        """Return the finding; it is unknown where there was nothing to judge.

        What is asked of one fault is asked of each of its injections; the worst answer counts.
        """
        if not isinstance(self.during, DuringFault):
            return self._judged(evidence)
        try:
            times = fault_windows(evidence, self.during.fault)
        except NotJudged:
            times = []
        if len(times) < 2:
            return self._judged(evidence)
        asked = (self.model_copy(update={"during": DuringFault(fault=one.id)}) for one in times)
        worst = min((one._judged(evidence) for one in asked), key=_badness)
        note = f"the worst of {count(len(times), 'injection')} of fault `{self.during.fault}`"
        return replace(worst, notes=(*worst.notes, note))

    def _judged(self, evidence: Evidence) -> Finding:
        try:
            found = self.rule(evidence)
        except NotJudged as nothing:
            return Finding(Verdict.UNKNOWN, "nothing", self.bound, nothing.reason)
        unseen = self.unseen(evidence) if found.verdict is Verdict.PASS else None
        if unseen is None:
            return found
        return replace(found, verdict=Verdict.UNKNOWN, reason=unseen)

    def unseen(self, evidence: Evidence) -> str | None:
        """Return why a pass would prove nothing: what it is about happened, and nobody looked."""
        return None

    def rule(self, evidence: Evidence) -> Finding:
        """Return the finding. Raises `NotJudged` where there is nothing to judge."""
        raise NotImplementedError

    def passed(self, measured: str, numbers: Numbers | None = None) -> Finding:
        return Finding(Verdict.PASS, measured, self.bound, numbers=numbers)

    def failed(
        self,
        measured: str,
        reason: str,
        witness: Sequence[str] = (),
        at: float | None = None,
        services: Sequence[str] = (),
        numbers: Numbers | None = None,
    ) -> Finding:
        return Finding(
            Verdict.FAIL,
            measured,
            self.bound,
            reason,
            tuple(witness),
            at,
            tuple(services),
            numbers=numbers,
        )


def _badness(finding: Finding) -> tuple[int, float]:
    """Return how far up a finding stands among the worst: failures first, then what is worse."""
    rank = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS).index(finding.verdict)
    numbers = finding.numbers
    if numbers is None:
        return rank, 0.0
    return rank, numbers.measured if numbers.unit == "ratio" else -numbers.measured


REGISTRY: Registry[Check] = Registry("check", "chaoskit.checks")
check = REGISTRY.register


class ProbeCheck(Check):
    """A check over the samples of one probe."""

    probe: str

    @property
    def subject(self) -> str:
        return self.probe

    @property
    def about(self) -> str | None:
        """The one fault it is about, None for all of its window."""
        return None

    def unseen(self, evidence: Evidence) -> str | None:
        faults = [fault for fault in evidence.faults if self.about in (None, fault.id)]
        samples = evidence.samples.get(self.probe, ())
        return _unseen(f"probe `{self.probe}`", "sample", self, faults, samples, evidence)


class SampledCheck(Check):
    """A check over the samples of a probe, or over the operations of a workload of any kind.

    An operation is a sample from when it was due to its completion; one that was due and never sent
    is one too. `op` picks one kind of operation.
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

    def samples(self, evidence: Evidence) -> list[Sample]:
        """Return the samples due inside the window; raises `NotJudged` when there are none."""
        if self.probe is not None:
            return samples_in(self, self.probe, evidence)
        span = window(self, evidence)
        made = operations(evidence, self.workload or "", self.op, span)
        if not made:
            raise NotJudged(f"{self.what} gave no operation in this window")
        return made

    def unseen(self, evidence: Evidence) -> str | None:
        if self.probe is not None:
            samples: Sequence[Sample] = evidence.samples.get(self.probe, ())
        else:
            samples = operations(evidence, self.workload or "", self.op)
        return _unseen(self.what, self.unit, self, evidence.faults, samples, evidence)

    def unless_omitted(self, finding: Finding, evidence: Evidence) -> Finding:
        """Return the finding, or `unknown` when too little was sent of what was due."""
        if self.workload is None:
            return finding
        sent = sent_of_due(evidence, self.workload, self.op, window(self, evidence))
        reason = too_few_sent(self.workload, sent)
        if reason is None:
            return finding
        return Finding(
            Verdict.UNKNOWN, finding.measured, self.bound, reason, numbers=finding.numbers
        )


@dataclass(frozen=True, slots=True)
class History:
    """The history of one workload as a rule gets it: its events, in order of time.

    `used` are the operations in it, `kind` is the kind of workload, `initial` what the workload
    says that a key holds before it is written, `window` what `during` asks for, in run-clock
    seconds.
    """

    events: Sequence[Event]
    used: Collection[str]
    kind: str
    initial: Json
    window: tuple[float, float]
    faults: Sequence[FaultWindow]

    def count_inside(self, times: Collection[float]) -> int:
        """Return how many of these moments are in the window."""
        start, end = self.window
        if self.window == ALL:
            return len(times)
        return sum(start <= t <= end for t in times)


class WorkloadCheck(Check):
    """A check over the history of one workload.

    `workloads` names the kinds it can judge, and what their histories must hold before it may pass.
    `anomalies` is what it finds, in the plural.
    """

    workloads: ClassVar[Mapping[str, Need]] = {}
    anomalies: ClassVar[str] = ""

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

    def rule(self, evidence: Evidence) -> Finding:
        history = self._history(evidence)
        need = self.workloads[history.kind]
        gap = coverage_gap(
            history.events, history.used, self.workload, evidence.faults, need, self.minimum
        )
        try:
            judged = self.look(history)
        except NotJudged as nothing:
            raise NotJudged(gap or nothing.reason) from nothing
        gap = gap or judged.gap
        if gap is None and not judged.of and not judged.found:
            raise NotJudged(f"there was nothing in this window that could show {self.anomalies}")
        return build_finding(judged, evidence, history.events, self.bound, self.formal, gap)

    def look(self, history: History) -> Judged:
        """Return what is wrong with a history. Raises `NotJudged` where that cannot be known."""
        raise NotImplementedError

    def _history(self, evidence: Evidence) -> History:
        events = evidence.history.get(self.workload)
        if not events:
            raise NotJudged(f"workload `{self.workload}` has no history")
        span = ALL  # whatever the phases say
        if self.during != "all":
            span = window(self, evidence)
        used = set(map(_op, events))
        kinds = [kind for kind, need in self.workloads.items() if not used.isdisjoint(need.writes)]
        kind = kinds[0] if kinds else next(iter(self.workloads))
        initial = evidence.initial.get(self.workload)
        return History(events, used, kind, initial, span, evidence.faults)


class ServiceCheck(Check):
    """A check over the containers or the log of one service."""

    service: str

    @property
    def subject(self) -> str:
        return self.service


def window(check: Check, evidence: Evidence) -> tuple[float, float]:
    """Return the (start, end) of the check's `during`, in run-clock seconds.

    `all` runs from the start of the baseline to the end of the settle phase: start-up is not held
    against the stack, and neither are the final reads. Raises `NotJudged` when there is none.
    """
    if isinstance(check.during, DuringFault):
        fault, *_ = fault_windows(evidence, check.during.fault)
        last = max((p.end or p.start for p in evidence.phases), default=fault.injected)
        return fault.injected, last if fault.healed is None else fault.healed
    if check.during == "all":
        names: Sequence[str] = ("baseline", "faults", "heal", "settle")
    else:
        names = (check.during,)
    phases = [phase for phase in evidence.phases if phase.name in names]
    if not phases:
        raise NotJudged(f"the run never reached the {names[0]} phase")
    end = phases[-1].end
    return phases[0].start, float("inf") if end is None else end


def fault_windows(evidence: Evidence, fault_id: str | None, so: str = "") -> Sequence[FaultWindow]:
    """Return every injection of the fault named, or of every fault. `repeat` and `quiet` make more
    than one of it, which are called `ID-2` and `ID.2`.

    Raises `NotJudged` when there is none, with what follows from it (`so`) in the sentence.
    """
    if fault_id is None:
        if not evidence.faults:
            raise NotJudged(f"no fault was injected in this run{so}")
        return evidence.faults
    found = [fault for fault in evidence.faults if fault.id == fault_id]
    if not found:
        raise NotJudged(f"fault `{fault_id}` was never injected{so}")
    return [found[0], *(one for one in evidence.faults if injected_again(found[0], one))]


def samples_in(check: Check, probe: str, evidence: Evidence) -> list[Sample]:
    """Return the probe's samples due inside the window; raises `NotJudged` when there are none."""
    start, end = window(check, evidence)
    found = [s for s in evidence.samples.get(probe, ()) if start <= s.due <= end]
    if not found:
        raise NotJudged(f"probe `{probe}` gave no sample in this window")
    return found


def _unseen(
    what: str,
    unit: str,
    check: Check,
    faults: Sequence[FaultWindow],
    samples: Sequence[Sample],
    evidence: Evidence,
) -> str | None:
    """Return which fault of the check's window no sample fell into, and what to change."""
    start, end = window(check, evidence)
    for fault in faults:
        if not fault.must_be_seen or not fault.meets(start, end):
            continue
        if not any(fault.meets(sample.sent, sample.done) for sample in samples):
            lasted = "" if fault.healed is None else seconds_text(fault.healed - fault.injected)
            return (
                f"no {unit} of {what} was under way while fault `{fault.id}` was in force "
                f"({lasted or 'to the end'}); look more often"
            )
    return None
