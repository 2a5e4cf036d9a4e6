"""The longest time a probe was failing without a break."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import ProbeCheck, check, samples_in
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._health import Stretch, stretches
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Duration
from chaoskit.numeric import above
from chaoskit.records import Evidence, Finding, Numbers, Verdict
from chaoskit.text import moment, seconds_text


@check("downtime")
class Downtime(ProbeCheck):
    """A probe never fails for longer than this without a break.

    Counted from the moment the first failing sample was sent until the next good one was done, also
    when that good one came after the window.
    """

    example: ClassVar[str] = "{ check: downtime, probe: chat, at_most: 5s }"

    at_most: Duration

    @property
    def bound(self) -> str:
        return f"<= {self.at_most}"

    def rule(self, evidence: Evidence) -> Finding:
        samples = samples_in(self, self.probe, evidence)
        end = max(sample.due for sample in samples)
        first = min(sample.due for sample in samples)
        known = [sample for sample in evidence.samples[self.probe] if sample.due >= first]
        groups = stretches(known)
        spans = [
            (_seconds(stretch, following), stretch, following is None)
            for stretch, following in zip(groups, [*groups[1:], None], strict=True)
            if not stretch.healthy and stretch.samples[0].due <= end
        ]
        if not spans:
            return self.passed("0s (never failed)", Numbers(0.0, self.at_most, "s"))
        seconds, longest, still_open = max(spans, key=lambda span: span[0])
        text = seconds_text(seconds, self.at_most)
        numbers = Numbers(seconds, self.at_most, "s")
        if still_open:
            text = f">= {text}"
        at = longest.samples[0].done
        witness = capped([failing(stretch, evidence) for _, stretch, _ in spans])
        begin = moment(longest.samples[0].sent)
        if above(seconds, self.at_most):
            until = ", until the end of the run" if still_open else ""
            reason = (
                f"probe `{self.probe}` failed for {text} from {begin}{until}, "
                f"{fault_at(evidence, at)}"
            )
            return self.failed(text, reason, witness, at, numbers=numbers)
        if spans[-1][2]:
            reason = (
                f"probe `{self.probe}` was still failing at the end of the run, so its last "
                "downtime was not seen to the end; a longer `settle` would show it"
            )
            at = spans[-1][1].samples[0].done
            return Finding(Verdict.UNKNOWN, text, self.bound, reason, witness, at, numbers=numbers)
        return self.passed(text, numbers)


def _seconds(stretch: Stretch, following: Stretch | None) -> float:
    if following is None:
        return max(sample.done for sample in stretch.samples) - stretch.samples[0].sent
    return max(following.samples[0].done - stretch.samples[0].sent, 0.0)
