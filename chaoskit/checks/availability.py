"""How often a probe got a good answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from chaoskit.checks._base import NotJudged, SampledCheck, check
from chaoskit.checks._health import stretches
from chaoskit.checks._schedule import NEVER
from chaoskit.checks._witness import capped, failing
from chaoskit.fields import Percentage
from chaoskit.numeric import above
from chaoskit.records import Evidence, Finding, Numbers, Sample
from chaoskit.text import count, percent, seconds_text


@check("availability")
class Availability(SampledCheck):
    """At least this share of a probe's samples, or of a workload's operations, is `ok`.

    Every sample counts the same; one without a clear answer is not `ok`, and neither is a refused
    operation. An operation that was not answered, or not even sent, within its `timeout` from the
    moment it was due is not `ok` either: who waits for it has given up. `op` picks one kind of
    operation of a workload.
    """

    example: ClassVar[str] = "{ check: availability, probe: chat, at_least: 99% }"

    at_least: Percentage

    @property
    def bound(self) -> str:
        return f">= {self.at_least}"

    def rule(self, evidence: Evidence) -> Finding:
        made = self.samples(evidence)
        samples = self._in_time(made, evidence)
        total = len(samples)
        good = sum(sample.outcome == "ok" for sample in samples)
        share = percent(good, total, self.at_least)
        measured = f"{share} (of {total})"
        numbers = Numbers(good / total, self.at_least, "ratio")
        if not above(self.at_least, good / total):
            return self.unless_omitted(self.passed(measured, numbers), evidence)
        bad = [stretch for stretch in stretches(samples) if not stretch.healthy]
        reason = (
            f"{self.what} was ok in {good} of {count(total, self.unit)} ({share}), "
            f"in {count(len(bad), 'failing stretch', 'failing stretches')}"
        )
        witness = capped([failing(stretch, evidence) for stretch in bad])
        at = bad[0].samples[0].done
        found = self.failed(measured, reason, witness, at, numbers=numbers)
        sent = [sample for sample in made if sample.sent != NEVER]
        answered = sum(sample.outcome == "ok" for sample in sent)
        if above(self.at_least, answered / max(len(sent), 1)):
            return found
        return self.unless_omitted(found, evidence)  # clients that were too few are no outage

    def _in_time(self, samples: Sequence[Sample], evidence: Evidence) -> list[Sample]:
        """Return the samples with those as not `ok` whose user had given up.

        Operations that were never sent and might still have been in time are left out.
        """
        schedule = evidence.schedules.get(self.workload or "")
        if schedule is None:
            return list(samples)
        limit = schedule.timeout
        judged = []
        for sample in samples:
            late = above(sample.latency, limit)
            if late and sample.outcome == "ok":
                error = f"answered {seconds_text(sample.latency, limit)} after it was due"
                judged.append(replace(sample, outcome="info", error=error))
            elif late or sample.sent != NEVER:
                judged.append(sample)
        if not judged:
            raise NotJudged(f"no {self.unit} of {self.what} was sent in this window")
        return judged
