"""How often a probe got a good answer."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import SampledCheck, check, unknown
from chaoskit.checks._health import stretches
from chaoskit.checks._text import above, count, percent
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, Finding, Verdict


@check("availability")
class Availability(SampledCheck):
    """At least this share of a probe's samples, or of a workload's operations, is `ok`.

    Every sample counts the same; one without a clear answer is not `ok`, and neither is a refused
    operation. `op` picks one kind of operation of a workload.
    """

    example: ClassVar[str] = "{ check: availability, probe: chat, at_least: 99% }"

    at_least: Percentage

    def judge(self, evidence: Evidence) -> Finding:
        bound = f">= {self.at_least}"
        samples = self.samples(evidence)
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
            f"{self.what} was ok in {good} of {count(total, self.unit)} ({share}), "
            f"in {count(len(bad), 'failing stretch', 'failing stretches')}"
        )
        witness = capped([failing(stretch, evidence) for stretch in bad])
        return Finding(Verdict.FAIL, measured, bound, reason, witness, bad[0].samples[0].done)
