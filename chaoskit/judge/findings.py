"""What the checks of a scenario find in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from chaoskit.checks._base import Check
from chaoskit.judge.lateness import forgiven, on_time, weighed, without_late
from chaoskit.judge.starvation import Spell, excused, without_starved
from chaoskit.record.history import without_collecting
from chaoskit.records import Evidence, Finding, Verdict
from chaoskit.scenario.document import Scenario


def findings_of(
    scenario: Scenario, evidence: Evidence, spells: Sequence[Spell] = ()
) -> tuple[list[tuple[Check, Finding]], dict[str, str]]:
    """Return each check with its finding, and by probe what is no evidence about it.

    `spells` are the times in which others crowded the machine.
    """
    punctual, late = without_late(evidence, scenario.probes)
    # Every sample of a run is looked at for these: only where a check fails.
    prompt = cache(lambda: on_time(punctual))
    fed = cache(lambda: without_starved(evidence, scenario.probes, spells))
    findings = []
    with without_collecting():
        for check in scenario.expect:
            finding = judged(check, evidence)
            said = late.get(getattr(check, "probe", None) or "")
            if said is not None:
                finding = weighed(finding, judged(check, punctual), said)
            if finding.verdict is Verdict.FAIL and (most := _latest(check, evidence)) > 0:
                finding = forgiven(finding, judged(check, prompt()), most)
            if spells and finding.verdict is Verdict.FAIL:
                finding = excused(finding, judged(check, fed()), spells)
            findings.append((check, finding))
    return findings, late


def _latest(check: Check, evidence: Evidence) -> float:
    """Return for how many seconds at most chaoskit was late itself with the check's samples."""
    samples = evidence.samples.get(getattr(check, "probe", None) or "", ())
    return max((sample.lateness for sample in samples), default=0.0)


def judged(check: Check, evidence: Evidence) -> Finding:
    """Judge one check; a check that breaks is `unknown`, never a pass."""
    try:
        return check.judge(evidence)
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others
        return Finding(
            Verdict.UNKNOWN,
            "nothing",
            "",
            f"the check itself failed: {type(error).__name__}: {error}",
        )
