"""How often a probe got a good answer."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import SampledCheck, check
from chaoskit.checks._health import stretches
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Percentage
from chaoskit.numeric import above
from chaoskit.records import Evidence, Finding, Numbers
from chaoskit.text import count, percent


@check("availability")
class Availability(SampledCheck):
    """At least this share of a probe's samples, or of a workload's operations, is `ok`.

    Every sample counts the same; one without a clear answer is not `ok`, and neither is a refused
    operation. `op` picks one kind of operation of a workload.
    """

    example: ClassVar[str] = "{ check: availability, probe: chat, at_least: 99% }"

    at_least: Percentage

    @property
    def bound(self) -> str:
        return f">= {self.at_least}"

    def rule(self, evidence: Evidence) -> Finding:
        samples = self.samples(evidence)
        total = len(samples)
        good = sum(sample.outcome == "ok" for sample in samples)
        share = percent(good, total, self.at_least)
        measured = f"{share} (of {total})"
        numbers = Numbers(good / total, self.at_least, "ratio")
        if not above(self.at_least, good / total):
            return self.passed(measured, numbers)
        bad = [stretch for stretch in stretches(samples) if not stretch.healthy]
        reason = (
            f"{self.what} was ok in {good} of {count(total, self.unit)} ({share}), "
            f"in {count(len(bad), 'failing stretch', 'failing stretches')}"
        )
        witness = capped([failing(stretch, evidence) for stretch in bad])
        at = bad[0].samples[0].done
        return self.failed(measured, reason, witness, at, numbers=numbers)
