"""Failures that say more about a crowded machine than about the app.

Where others than the stack and chaoskit used a good part of the CPUs, the time for which services
waited for one is not the app's: a failure that is no larger than that proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chaoskit.judge.lateness import SHARE
from chaoskit.probes._base import Probe
from chaoskit.record.events import Recorded, ResourcesSampled
from chaoskit.records import Evidence, Finding, Sample, Verdict
from chaoskit.text import seconds_text

_CROWDED = 0.25  # the share of the CPUs that others used, from which on they stood in the way


@dataclass(frozen=True, slots=True)
class Spell:
    """From when to when others used the machine: which share of it, and for how many seconds the
    tasks of the service that waited most waited for a CPU."""

    start: float
    end: float
    others: float
    service: str
    waited: float

    def meets(self, start: float, end: float) -> bool:
        return self.start < end and start < self.end


def spells_of(events: Sequence[Recorded]) -> list[Spell]:
    """Return when others crowded the machine of the stack."""
    looks = [(t, event) for t, event in events if isinstance(event, ResourcesSampled)]
    found = []
    for (start, _), (end, event) in pairwise(looks):
        others = event.host.others if event.host is not None else None
        if others is not None and others >= _CROWDED and event.waited:
            service = max(event.waited, key=event.waited.__getitem__)
            found.append(Spell(start, end, others, service, event.waited[service]))
    return found


def without_starved(
    evidence: Evidence, probes: Mapping[str, Probe], spells: Sequence[Spell]
) -> Evidence:
    """Return the evidence without samples that a wait of half of their timeout may have failed: an
    answer that came sooner waited less."""

    def fed(sample: Sample, most: float) -> bool:
        met = (one.waited for one in spells if one.meets(sample.sent, sample.done))
        return min(sum(met), sample.done - sample.sent) < most

    kept = {
        name: [one for one in samples if fed(one, SHARE * probes[name].timeout)]
        for name, samples in evidence.samples.items()
        if name in probes
    }
    return replace(evidence, samples={**evidence.samples, **kept})


def excused(finding: Finding, without: Finding, spells: Sequence[Spell]) -> Finding:
    """Return a failure as `unknown` where waits for a CPU may be all of it: a time too long by no
    more than was waited meanwhile, or one that is none `without` the samples that waited."""
    met = _around(finding, spells)
    if finding.verdict is not Verdict.FAIL or not met:
        return finding
    if not _within_waits(finding, met) and without.verdict is Verdict.FAIL:
        return finding
    worst = max(met, key=lambda one: one.waited)
    share = max(one.others for one in met)
    reason = (
        f"this machine was too busy to tell: others used up to {share:.0%} of its CPUs, and"
        f" `{worst.service}` waited {seconds_text(worst.waited)} of"
        f" {seconds_text(worst.end - worst.start)} for one; {finding.reason}"
    )
    return replace(finding, verdict=Verdict.UNKNOWN, reason=reason)


def _around(finding: Finding, spells: Sequence[Spell]) -> list[Spell]:
    """Return the spells that the failure can have to do with, by when it was and how long."""
    numbers = finding.numbers
    if finding.at is None or numbers is None or numbers.unit != "s":
        return list(spells)
    start, end = finding.at - numbers.measured, finding.at + numbers.measured
    return [one for one in spells if one.meets(start, end)]


def _within_waits(finding: Finding, spells: Sequence[Spell]) -> bool:
    """Return whether a time misses its bound by no more than was waited while it went by."""
    numbers = finding.numbers
    if numbers is None or numbers.unit != "s" or numbers.limit is None:
        return False
    return numbers.measured - numbers.limit <= max(
        sum(one.waited for one in spells if one.meets(first.start, first.end + numbers.measured))
        for first in spells
    )
