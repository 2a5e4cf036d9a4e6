"""What the checks of a scenario find in the evidence."""

from __future__ import annotations

from chaoskit.checks._base import Check
from chaoskit.judge.lateness import weighed, without_late
from chaoskit.record.history import without_collecting
from chaoskit.records import Evidence, Finding, Verdict
from chaoskit.scenario.document import Scenario


def findings_of(
    scenario: Scenario, evidence: Evidence
) -> tuple[list[tuple[Check, Finding]], dict[str, str]]:
    """Return each check with its finding, and by probe what is no evidence about it."""
    punctual, late = without_late(evidence, scenario.probes)
    findings = []
    with without_collecting():
        for check in scenario.expect:
            finding = judged(check, evidence)
            said = late.get(getattr(check, "probe", None) or "")
            if said is not None:
                finding = weighed(finding, judged(check, punctual), said)
            findings.append((check, finding))
    return findings, late


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
