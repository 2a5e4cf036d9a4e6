"""How often a probe got a good answer."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import ProbeCheck, check, samples_in, unknown
from chaoskit.checks._health import stretches
from chaoskit.checks._text import above, count, percent
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, Finding, Verdict


@check("availability")
class Availability(ProbeCheck):
    """At least this share of a probe's samples is `ok`.

    Every sample counts the same; one without a clear answer is not `ok`.
    """

    example: ClassVar[str] = "{ check: availability, probe: chat, at_least: 99% }"

    at_least: Percentage

    def judge(self, evidence: Evidence) -> Finding:
        bound = f">= {self.at_least}"
        samples = samples_in(self, self.probe, evidence)
        if isinstance(samples, str):
            return unknown(bound, samples)
        total = len(samples)
        good = sum(sample.outcome == "ok" for sample in samples)
        share = percent(good, total, self.at_least)
        measured = f"{share} (of {total})"
        if not above(self.at_least, good / total):
            return Finding(Verdict.PASS, measured, bound)
        bad = [stretch for stretch in stretches(samples) if not stretch.healthy]
        reason = (
            f"probe `{self.probe}` was ok in {good} of {count(total, 'sample')} ({share}), "
            f"in {count(len(bad), 'failing stretch', 'failing stretches')}"
        )
        witness = capped([failing(stretch, evidence) for stretch in bad])
        return Finding(Verdict.FAIL, measured, bound, reason, witness, bad[0].samples[0].done)
