"""Samples that say more about chaoskit than about the app: those that it sent or saw too late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chaoskit.probes._base import Probe
from chaoskit.records import Evidence, Finding, Sample, Verdict
from chaoskit.text import count, seconds_text

SHARE = 0.5  # of a probe's timeout, from which on lateness or a wait could be what failed it


def without_late(
    evidence: Evidence, probes: Mapping[str, Probe]
) -> tuple[Evidence, dict[str, str]]:
    """Return the evidence without samples that were late by half of their timeout or more, and by
    probe a sentence where this took some away."""
    kept, said = dict(evidence.samples), dict[str, str]()
    for name, samples in evidence.samples.items():
        if name not in probes:
            continue
        most = SHARE * probes[name].timeout
        kept[name] = [sample for sample in samples if sample.lateness < most]
        lost = len(samples) - len(kept[name])
        if lost:
            worst = max(sample.lateness for sample in samples)
            said[name] = (
                f"{lost} of {count(len(samples), 'sample')} of probe `{name}` say nothing about it:"
                f" chaoskit itself was up to {seconds_text(worst)} late"
            )
    return replace(evidence, samples=kept), said


def on_time(evidence: Evidence) -> Evidence:
    """Return the evidence as if chaoskit had sent each sample when it was due, and seen each answer
    when it came."""

    def moved(samples: Sequence[Sample]) -> list[Sample]:
        dues = (replace(one, due=one.sent, done=one.done - one.stalled) for one in samples)
        return sorted(dues, key=lambda one: one.due)

    samples = {name: moved(some) for name, some in evidence.samples.items()}
    return replace(evidence, samples=samples)


def forgiven(finding: Finding, on_time: Finding, late: float) -> Finding:
    """Return a failure as `unknown` where it is none without what chaoskit was late itself: up to
    `late` seconds."""
    if finding.verdict is not Verdict.FAIL or on_time.verdict is Verdict.FAIL:
        return finding
    reason = f"chaoskit itself was up to {seconds_text(late)} late; {finding.reason}"
    return replace(finding, verdict=Verdict.UNKNOWN, reason=reason)


def weighed(finding: Finding, without: Finding, said: str) -> Finding:
    """Return a finding, `unknown` where it is another one `without` the late samples: whatever they
    would have shown in time, nobody knows."""
    if without.verdict is finding.verdict or finding.verdict is Verdict.UNKNOWN:
        return finding
    return Finding(Verdict.UNKNOWN, finding.measured, finding.bound, said)
