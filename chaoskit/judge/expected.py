"""Checks that are known to fail: green while they do, for the reason that is known, in their time.

A known failure hides nothing else: any other reason, any other check and a fault that is not proven
count as ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from chaoskit.checks._base import Check
from chaoskit.records import Finding, Verdict
from chaoskit.scenario.document import ExpectedFailure, Scenario

Found = tuple[Check, Finding]


def with_expected(
    scenario: Scenario, findings: Sequence[Found], day: date, *, proven: bool
) -> list[Found]:
    """Return the findings as the scenario expects them, on the day of the run.

    Where the run is not `proven`, a check that passes does not show that its failure is gone.
    """
    found = list(findings)
    for expected in scenario.expected_failures:
        for index, (check, finding) in enumerate(found):
            if expected.names(check):
                found[index] = check, _weighed(finding, expected, day, proven)
    return found


def _weighed(finding: Finding, expected: ExpectedFailure, day: date, proven: bool) -> Finding:
    until = f"until {expected.until}"
    if finding.verdict is Verdict.PASS:
        return replace(
            finding,
            verdict=Verdict.FAIL if proven else Verdict.UNKNOWN,
            reason=f"it passes, and is expected to fail {until}: if that is mended, take it out of"
            " `expect_fail`",
        )
    if finding.verdict is not Verdict.FAIL:
        return finding
    said = finding.reason or ""
    if not _fits(said, expected.reason):
        note = f"it fails, but not as it is expected to: its reason has no `{expected.reason}`"
        return replace(finding, notes=(*finding.notes, note))
    if day > expected.until:
        return replace(finding, reason=f"{said}; that was expected {until}, which is over")
    note = f"expected to fail {until}: {said}"
    return replace(finding, verdict=Verdict.EXPECTED_FAIL, notes=(*finding.notes, note))


def _fits(reason: str, words: str) -> bool:
    """Return whether a reason contains the words; `*` stands for anything between them."""
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in words.split("*"))
    return re.search(pattern, " ".join(reason.split()), re.IGNORECASE) is not None
