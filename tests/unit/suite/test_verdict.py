"""The exit code of a suite, and what several runs of a scenario say about how often it fails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.result import EXIT_CODES, Result, RunInfo, StackResult
from chaoskit.records import Verdict
from chaoskit.suite.verdict import counts_as_failed, exit_code, fail_on_of, flakes

C = ExitCode


def ended(verdict: Verdict, scenario: str = "kill") -> Result:
    return Result(
        run=RunInfo(
            id="run",
            scenario=scenario,
            scenario_file="kill.yaml",
            seed=1,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            duration=1.0,
            command="chaoskit run kill.yaml",
        ),
        verdict=verdict,
        exit_code=EXIT_CODES[verdict],
        stack=StackResult(project="p"),
    )


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([C.PASSED, C.PASSED], C.PASSED),
        ([C.PASSED, C.UNKNOWN], C.UNKNOWN),
        ([C.UNKNOWN, C.FAILED], C.FAILED),
        ([C.FAILED, C.ENVIRONMENT], C.FAILED),
        ([C.FAILED, C.LEFT_BEHIND], C.LEFT_BEHIND),
        ([C.LEFT_BEHIND, C.INTERRUPTED], C.INTERRUPTED),
    ],
)
def test_the_worst_scenario_decides(codes: list[ExitCode], expected: ExitCode) -> None:
    assert exit_code(codes) is expected


def test_unknown_verdicts_may_count_for_nothing_but_never_for_a_pass() -> None:
    assert exit_code([C.PASSED, C.UNKNOWN], "failed") is C.PASSED
    assert exit_code([C.UNKNOWN, C.UNKNOWN], "failed") is C.UNKNOWN
    assert exit_code([C.PASSED, C.ENVIRONMENT, C.UNKNOWN], "failed") is C.ENVIRONMENT
    assert exit_code([C.PASSED, C.FAILED, C.UNKNOWN], "failed") is C.FAILED


def test_what_ends_a_suite_early_is_what_makes_it_red() -> None:
    assert counts_as_failed(C.UNKNOWN, "unknown")
    assert not counts_as_failed(C.UNKNOWN, "failed")
    assert counts_as_failed(C.FAILED, "failed")
    assert counts_as_failed(C.ENVIRONMENT, "failed")
    assert not counts_as_failed(C.PASSED, "unknown")


def test_a_verdict_that_is_none_is_refused() -> None:
    assert fail_on_of("failed") == "failed"
    with pytest.raises(UsageError, match="`--fail-on error` is neither `failed` nor `unknown`"):
        fail_on_of("error")


def test_several_runs_say_how_often_a_scenario_may_fail() -> None:
    never = [ended(Verdict.PASS) for _ in range(20)]
    sometimes = [ended(Verdict.FAIL, "slow") for _ in range(3)] + [
        ended(Verdict.PASS, "slow") for _ in range(17)
    ]
    always = [ended(Verdict.FAIL, "down") for _ in range(20)]
    unsure = [ended(Verdict.PASS, "odd"), ended(Verdict.UNKNOWN, "odd")]
    lost = [ended(Verdict.UNKNOWN, "lost"), ended(Verdict.UNKNOWN, "lost")]
    once = [ended(Verdict.PASS, "once")]
    assert flakes([*never, *sometimes, *always, *unsure, *lost, *once]) == [
        "kill: 0 of 20 failed: under 14% at 95%",
        "slow: 3 of 20 failed: 3% to 38% at 95%",
        "down: 20 of 20 failed: over 86% at 95%",
        "odd: 0 of 1 failed: under 95% at 95%; 1 run unknown, not counted",
        "lost: not one of 2 runs was judged",
    ]
