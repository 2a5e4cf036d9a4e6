"""The longest time a probe was failing without a break."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import ProbeCheck, check, fault_at, samples_in, unknown
from chaoskit.checks._health import Stretch, stretches
from chaoskit.checks._text import above, length, moment
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Duration
from chaoskit.records import Evidence, Finding, Verdict


@check("downtime")
class Downtime(ProbeCheck):
    """A probe never fails for longer than this without a break.

    Counted from the moment the first failing sample was sent until the next good one was done, also
    when that good one came after the window.
    """

    example: ClassVar[str] = "{ check: downtime, probe: chat, at_most: 5s }"

    at_most: Duration

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most}"
        samples = samples_in(self, self.probe, evidence)
        if isinstance(samples, str):
            return unknown(bound, samples)
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
            return Finding(Verdict.PASS, "0s (never failed)", bound)
        seconds, longest, still_open = max(spans, key=lambda span: span[0])
        text = length(seconds, self.at_most)
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
            return Finding(Verdict.FAIL, text, bound, reason, witness, at)
        if spans[-1][2]:
            reason = (
                f"probe `{self.probe}` was still failing at the end of the run, so its last "
                "downtime was not seen to the end; a longer `settle` would show it"
            )
            return Finding(
                Verdict.UNKNOWN, text, bound, reason, witness, spans[-1][1].samples[0].done
            )
        return Finding(Verdict.PASS, text, bound)


def _seconds(stretch: Stretch, following: Stretch | None) -> float:
    if following is None:
        return max(sample.done for sample in stretch.samples) - stretch.samples[0].sent
    return max(following.samples[0].done - stretch.samples[0].sent, 0.0)
