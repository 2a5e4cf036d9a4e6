"""How fast a probe notices a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from chaoskit.checks._base import NotJudged, ProbeCheck, check, fault_windows
from chaoskit.checks._fault_position import named
from chaoskit.checks._health import (
    failing_before,
    failing_by_itself,
    first_failure,
    next_injection,
    slowest,
)
from chaoskit.checks._witness import capped
from chaoskit.fields import Duration, Name
from chaoskit.numeric import above
from chaoskit.records import Evidence, FaultWindow, Finding, Verdict, combined
from chaoskit.text import moment, seconds_text


@check("detection")
class Detection(ProbeCheck):
    """Every fault, or one, makes a probe fail within this time: the health check is not blind.

    Counted from the injection until the first failing sample is done. A probe that was failing
    before the injection shows nothing about this fault, and neither does a failure after the next
    fault was injected.
    """

    example: ClassVar[str] = "{ check: detection, probe: cache, within: 2s }"

    during: Literal["all"] = "all"
    within: Duration
    fault: Name | None = None

    @property
    def about(self) -> str | None:
        return self.fault

    @property
    def bound(self) -> str:
        return f"<= {self.within}"

    def rule(self, evidence: Evidence) -> Finding:
        faults = fault_windows(evidence, self.fault, ", so there is nothing to detect")
        if not evidence.samples.get(self.probe):
            raise NotJudged(f"probe `{self.probe}` gave no sample in this run")
        judged = [(fault, *self._noticed(fault, evidence)) for fault in faults]
        verdict = combined([one[1] for one in judged])
        measured = self._measured([one[2] for one in judged], verdict)
        numbers = slowest([one[2] for one in judged], self.within)
        if verdict is Verdict.PASS:
            return self.passed(measured, numbers)
        fault, _, _, why = next(one for one in judged if one[1] is verdict)
        witness = capped([f"{one[0]}: {one[3]}" for one in judged])
        reason = f"{named(fault)}, injected at {moment(fault.injected)}: {why}"
        return Finding(
            verdict, measured, self.bound, reason, witness, fault.injected, numbers=numbers
        )

    def _measured(self, times: Sequence[float | None], verdict: Verdict) -> str:
        known = [seconds for seconds in times if seconds is not None]
        if len(known) < len(times):
            return "not noticed" if verdict is Verdict.FAIL else "unclear"
        of = f" (slowest of {len(known)})" if len(known) > 1 else ""
        return f"{seconds_text(max(known), self.within)}{of}"

    def _noticed(self, fault: FaultWindow, evidence: Evidence) -> tuple[Verdict, float | None, str]:
        samples = evidence.samples[self.probe]
        probe = f"probe `{self.probe}`"
        if failing_before(samples, fault.injected):
            return Verdict.UNKNOWN, None, f"{probe} was failing before it was injected"
        disturbed = next_injection(evidence.faults, fault, fault.injected)
        end = float("inf") if fault.healed is None else fault.healed + self.within
        failure = first_failure(samples, fault.injected, min(end, disturbed))
        if failure is not None:
            noise = failing_by_itself(samples, evidence, self.within)
            if noise is not None:
                return Verdict.UNKNOWN, None, f"{probe} {noise}: its failure proves nothing"
            seconds = failure.done - fault.injected
            verdict = Verdict.FAIL if above(seconds, self.within) else Verdict.PASS
            error = f" ({failure.error})" if failure.error else ""
            why = f"{probe} noticed after {seconds_text(seconds, self.within)}{error}"
            return verdict, seconds, why
        last = min(max(sample.done for sample in samples), end)
        watched = max(min(last, disturbed) - fault.injected, 0.0)
        if watched >= self.within:
            return (
                Verdict.FAIL,
                None,
                f"{probe} did not notice it, watched for {seconds_text(watched)}",
            )
        what = "the next fault came" if disturbed <= last else "the samples ended"
        why = f"{what} {seconds_text(watched)} later, before {probe} had time to notice"
        return Verdict.UNKNOWN, None, why
