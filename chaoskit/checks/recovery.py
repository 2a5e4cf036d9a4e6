"""How fast a probe is healthy again after a fault is healed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from chaoskit.checks._base import NotJudged, ProbeCheck, check, fault_windows
from chaoskit.checks._fault_position import named
from chaoskit.checks._health import Recovery, clear, next_injection, recovery, slowest
from chaoskit.checks._witness import capped
from chaoskit.fields import Duration, Name
from chaoskit.numeric import above
from chaoskit.records import Evidence, FaultWindow, Finding, Verdict, combined
from chaoskit.text import count, moment, seconds_text


@dataclass(frozen=True, slots=True)
class _Judged:
    """One fault's recovery: the verdict, its sentence, its witness line, the moment it is about."""

    verdict: Verdict
    seconds: float | None
    reason: str
    line: str
    at: float


@check("recovery")
class RecoveryCheck(ProbeCheck):
    """After every fault, or after one, a probe is healthy again within this time.

    Counted from the heal to the start of the first healthy stretch that holds for `stable`, or
    until the next fault or the end with at least three samples. A fault the probe never noticed
    counts as 0. Where another fault is still in force and the probe is not back in time, the clock
    starts when that one is healed.
    """

    example: ClassVar[str] = "{ check: recovery, probe: cache, within: 5s }"

    during: Literal["all"] = "all"
    within: Duration
    fault: Name | None = None
    stable: Duration = Duration(1.0)

    @property
    def about(self) -> str | None:
        return self.fault

    @property
    def bound(self) -> str:
        return f"<= {self.within}"

    def rule(self, evidence: Evidence) -> Finding:
        faults = fault_windows(evidence, self.fault, ", so there is no recovery to judge")
        if not evidence.samples.get(self.probe):
            raise NotJudged(f"probe `{self.probe}` gave no sample in this run")
        judged = [self._after(fault, evidence) for fault in faults]
        verdict = combined([one.verdict for one in judged])
        measured = self._measured(judged)
        numbers = slowest([one.seconds for one in judged], self.within)
        if verdict is Verdict.PASS:
            return self.passed(measured, numbers)
        decisive = next(one for one in judged if one.verdict is verdict)
        witness = capped([one.line for one in judged])
        return Finding(
            verdict,
            measured,
            self.bound,
            decisive.reason,
            witness,
            decisive.at,
            numbers=numbers,
        )

    def _measured(self, judged: Sequence[_Judged]) -> str:
        times = [one.seconds for one in judged if one.seconds is not None]
        if len(times) < len(judged):
            return (
                "not recovered" if any(one.verdict is Verdict.FAIL for one in judged) else "unclear"
            )
        of = f" (slowest of {len(times)})" if len(times) > 1 else ""
        return f"{seconds_text(max(times), self.within)}{of}" if max(times) else f"0s{of}"

    def _after(self, fault: FaultWindow, evidence: Evidence) -> _Judged:
        if fault.healed is None:
            reason = f"{named(fault)} was never healed, so there is no recovery to judge"
            return _Judged(Verdict.UNKNOWN, None, reason, f"{fault}: never healed", fault.injected)
        judged = self._since(fault.healed, fault, evidence)
        good = judged.verdict is Verdict.PASS
        start = clear(evidence.faults, fault)
        if start is None and not good:
            reason = f"another fault was in force when {named(fault)} healed, and was never healed"
            return _Judged(Verdict.UNKNOWN, None, reason, f"{fault}: {reason}", fault.healed)
        if start is None or start == fault.healed:
            return judged
        # What another fault held up is not this one's, nor the app's.
        freed = self._since(start, fault, evidence)
        return judged if good and freed.verdict is not Verdict.PASS else freed

    def _since(self, healed: float, fault: FaultWindow, evidence: Evidence) -> _Judged:
        """Judge the recovery from `healed` on: the fault's own heal, or the last heal around it."""
        until = next_injection(evidence.faults, fault, healed)
        samples = evidence.samples[self.probe]
        found = recovery(samples, fault.injected, healed, until, self.stable)
        what = f"probe `{self.probe}`"
        heal = f"{named(fault)} healed at {moment(healed)}"
        line = str(fault)
        if healed != fault.healed:
            heal = f"{named(fault)} and every fault around it were healed at {moment(healed)}"
            line = f"{fault}, counted from {moment(healed)} when no fault was left"
        if found.seconds is None:
            return self._not_back(found, f"{what} was not healthy again after {heal}", line, healed)
        text = seconds_text(found.seconds, self.within)
        line += f": healthy again after {text}" if found.noticed else ": never left healthy"
        verdict = Verdict.FAIL if above(found.seconds, self.within) else Verdict.PASS
        reason = f"{what} took {text} to recover after {heal}"
        return _Judged(verdict, found.seconds, reason, line, healed + found.seconds)

    def _not_back(self, found: Recovery, sentence: str, line: str, healed: float) -> _Judged:
        """Judge a fault with no recovery that counts: too late already, or too soon to say."""
        if found.samples == 0:
            reason = f"{sentence} as far as anybody saw: no sample came after it; leave more time"
            return _Judged(Verdict.UNKNOWN, None, reason, f"{line}: no sample after it", healed)
        watched = f"{seconds_text(found.watched)} ({count(found.samples, 'sample')})"
        line += f": not healthy again, watched for {watched}"
        if found.briefly is not None and not above(found.briefly, self.within):
            reason = (
                f"{sentence} for long enough to tell: good from {seconds_text(found.briefly)} on, "
                f"but watched for only {watched}; leave more time"
            )
            return _Judged(Verdict.UNKNOWN, None, reason, line, healed)
        if found.watched < self.within:
            reason = f"{sentence}, but was watched for only {watched}; leave more time"
            return _Judged(Verdict.UNKNOWN, None, reason, line, healed)
        return _Judged(Verdict.FAIL, None, f"{sentence}, watched for {watched}", line, healed)
