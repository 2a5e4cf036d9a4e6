"""A check that is known to fail: green while it does for that reason, and never a cloak."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from chaoskit.judge.expected import with_expected
from chaoskit.records import Finding, Verdict, combined
from chaoskit.scenario.document import Scenario, scenario_model

LOST = "37 of 912 acknowledged values of workload `members` are lost (4.1%)"
BEFORE, LAST, AFTER = date(2027, 1, 30), date(2027, 1, 31), date(2027, 2, 1)


def scenario(reason: str = "acknowledged values of workload `members` are lost") -> Scenario:
    document: dict[str, Any] = {
        "name": "small",
        "stack": {"compose": "compose.yaml"},
        "probes": {
            "web": {"probe": "http", "url": "http://web/"},
            "api": {"probe": "http", "url": "http://api/"},
        },
        "timeline": {},
        "expect": [
            {"check": "availability", "probe": "web", "at_least": "90%"},
            {"check": "availability", "probe": "api", "at_least": "90%"},
            {"check": "latency", "probe": "web", "p99": "1s"},
        ],
        "expect_fail": {"check": "availability web", "reason": reason, "until": "2027-01-31"},
    }
    return scenario_model().model_validate(document)


def judged(
    web: Verdict,
    said: str | None = None,
    *,
    day: date = BEFORE,
    proven: bool = True,
    others: Verdict = Verdict.PASS,
    reason: str = "acknowledged values of workload `members` are lost",
) -> tuple[Finding, Verdict]:
    """Return the finding about `web`, and the verdict of all three checks."""
    known = scenario(reason)
    verdicts = (web, others, Verdict.PASS)
    findings = [
        (check, Finding(verdict, "measured", "bound", said))
        for check, verdict in zip(known.expect, verdicts, strict=True)
    ]
    found = with_expected(known, findings, day, proven=proven)
    assert [check for check, _ in found] == known.expect
    return found[0][1], combined([finding.verdict for _, finding in found])


@pytest.mark.parametrize("day", [BEFORE, LAST])
def test_it_is_green_while_it_fails_for_that_reason(day: date) -> None:
    finding, verdict = judged(Verdict.FAIL, LOST, day=day)
    assert (finding.verdict, verdict) == (Verdict.EXPECTED_FAIL, Verdict.PASS)
    assert finding.notes == (f"expected to fail until 2027-01-31: {LOST}",)


@pytest.mark.parametrize("reason", ["ARE LOST", "* of * acknowledged  values", "lost (4.1%)"])
def test_the_reason_may_leave_out_what_changes(reason: str) -> None:
    finding, _ = judged(Verdict.FAIL, LOST, reason=reason)
    assert finding.verdict is Verdict.EXPECTED_FAIL


def test_it_is_red_when_the_day_is_over() -> None:
    finding, verdict = judged(Verdict.FAIL, LOST, day=AFTER)
    assert (finding.verdict, verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert finding.reason == f"{LOST}; that was expected until 2027-01-31, which is over"


def test_it_is_red_when_it_passes() -> None:
    finding, verdict = judged(Verdict.PASS)
    assert (finding.verdict, verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert finding.reason == (
        "it passes, and is expected to fail until 2027-01-31: if that is mended, take it out of"
        " `expect_fail`"
    )


def test_passing_in_a_run_that_proves_nothing_is_unknown() -> None:
    finding, verdict = judged(Verdict.PASS, proven=False)
    assert (finding.verdict, verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


def test_failing_for_another_reason_is_a_failure() -> None:
    finding, verdict = judged(Verdict.FAIL, "the stack burnt down")
    assert (finding.verdict, verdict) == (Verdict.FAIL, Verdict.FAIL)
    (note,) = finding.notes
    assert note == (
        "it fails, but not as it is expected to: its reason has no"
        " `acknowledged values of workload `members` are lost`"
    )


def test_an_unknown_check_stays_unknown() -> None:
    finding, verdict = judged(Verdict.UNKNOWN, LOST)
    assert (finding.verdict, verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)


@pytest.mark.parametrize("others", [Verdict.FAIL, Verdict.UNKNOWN])
def test_it_hides_no_other_check(others: Verdict) -> None:
    finding, verdict = judged(Verdict.FAIL, LOST, others=others)
    assert verdict is others
    assert finding.verdict is Verdict.EXPECTED_FAIL
