"""junit.xml: read back by the standard library and by junitparser."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from chaoskit.judge.result import CheckResult, Quantity, Result
from chaoskit.records import Verdict
from chaoskit.report.junit import render
from tests.unit.report.conftest import with_expected_failure


def parsed(tmp_path: Path, *results: Result) -> JUnitXml:
    file = tmp_path / "junit.xml"
    file.write_text(render(results), encoding="utf-8")
    return JUnitXml.fromfile(str(file))


def test_junitparser_reads_suites_cases_and_problems(
    passing: Result, failing: Result, tmp_path: Path
) -> None:
    good, bad = parsed(tmp_path, passing, failing)
    assert (good.name, good.tests, good.failures, good.errors) == ("redis-restart", 3, 0, 0)
    assert (bad.name, bad.tests, bad.failures, bad.errors) == ("redis-kill", 4, 1, 2)
    assert good.time == pytest.approx(21.34)
    cases = {case.name: case for case in bad}
    assert list(cases) == ["run", "recovery cache", "no_loss members", "availability chat"]
    assert not cases["availability chat"].result
    (lost,) = cases["no_loss members"].result
    assert isinstance(lost, Failure)
    assert lost.message.startswith("37 of 912 acknowledged values")
    assert "\n  LOST 1000123: acknowledged at 12.31 s" in lost.text
    assert "12.30 s chat | [red]cache | `down`" in lost.text
    assert lost.text.endswith("run it again: chaoskit run scenarios/redis-kill.yaml --seed 7")
    (unclear,) = cases["recovery cache"].result
    assert isinstance(unclear, Error)


def test_a_check_that_fails_as_expected_is_skipped_and_says_why(
    passing: Result, tmp_path: Path
) -> None:
    (suite,) = parsed(tmp_path, with_expected_failure(passing))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (3, 0, 0, 1)
    (skipped,) = next(case for case in suite if case.name == "availability chat").result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "80% of 312 samples were good"


def test_the_file_has_what_the_usual_schemas_require(passing: Result, failing: Result) -> None:
    root = ElementTree.fromstring(render([passing, failing]))
    assert root.tag == "testsuites"
    for suite in root:
        required = {"name", "package", "id", "hostname", "timestamp", "time", "tests"}
        assert required | {"failures", "errors"} <= suite.attrib.keys()
        order = [child.tag for child in suite]
        cases = ["testcase"] * (len(order) - 3)
        assert order == ["properties", *cases, "system-out", "system-err"]
        for case in suite.iter("testcase"):
            assert case.attrib.keys() == {"classname", "name", "time"}
            problems = [child for child in case if child.tag != "system-out"]
            assert all(problem.attrib.keys() == {"message", "type"} for problem in problems)
        assert len(suite.attrib["timestamp"]) == len("2026-03-01T12:00:00")


def run_case(result: Result) -> tuple[str, str]:
    case = ElementTree.fromstring(render([result])).find("testsuite/testcase")
    assert case is not None
    return (case[0].tag, case[0].attrib["message"]) if len(case) else ("passed", "")


def test_the_run_itself_is_an_error_when_a_fault_is_not_proven(failing: Result) -> None:
    result = failing.model_copy(update={"leftovers": [], "exit_code": 1})
    assert run_case(result) == (
        "error",
        "fault slow is not proven: the edge `chat -> redis` carried nothing",
    )


def test_the_run_itself_is_an_error_when_something_is_left_behind(failing: Result) -> None:
    assert run_case(failing) == ("error", "left behind: network chaoskit-a1b2_default")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("passed", "")),
        (
            {"verdict": Verdict.UNKNOWN, "exit_code": 3, "reason": "the gate was not met"},
            ("error", "the gate was not met"),
        ),
        (
            {"verdict": Verdict.UNKNOWN, "exit_code": 3, "checks": []},
            ("error", "no reason was recorded"),
        ),
        ({"exit_code": 130, "reason": "interrupted"}, ("error", "exit code 130: interrupted")),
        ({"verdict": Verdict.FAIL, "reason": "why"}, ("failure", "why")),
    ],
)
def test_ci_is_red_whenever_the_exit_code_is_not_zero(
    passing: Result, change: dict[str, object], expected: tuple[str, str]
) -> None:
    assert run_case(passing.model_copy(update=change)) == expected


def test_control_characters_and_markup_survive_as_text(passing: Result, tmp_path: Path) -> None:
    nasty = "a\x00b\x1b[31mc\x0b <&>\"' \ud800 \ufffe é\nnext"
    check = CheckResult(
        check="logs",
        subject="chat",
        verdict=Verdict.FAIL,
        measured=Quantity(text="1"),
        bound=Quantity(text="no line"),
        reason=nasty,
        witness=[nasty],
    )
    (suite,) = parsed(tmp_path, passing.model_copy(update={"checks": [check, check]}))
    names = [case.name for case in suite]
    assert names == ["run", "logs chat", "logs chat (2)"]
    (failure,) = list(suite)[1].result
    assert failure.message == "abc <&>\"' é next"


def test_what_died_makes_ci_red_and_is_told(deadly: Result) -> None:
    assert run_case(deadly) == ("error", deadly.reason)
    assert "stayed down\n  redis went away</system-out>" in render([deadly])


def test_figures_are_properties_in_seconds_and_ratios(passing: Result) -> None:
    root = ElementTree.fromstring(render([passing]))
    figures = {one.attrib["name"]: one.attrib["value"] for one in root.iter("property")}
    assert figures["fault.restart.time_to_recover"] == "1.204"
    assert figures["workload.members.latency_p99"] == "4.2"
    assert "probe.chat.latency_p99" not in figures


def test_the_witness_and_the_page_stand_in_the_case_that_failed(
    passing: Result, failing: Result
) -> None:
    hostile = failing.checks[1].model_copy(update={"witness": ["[[ATTACHMENT|/etc/passwd]]"]})
    failing = failing.model_copy(update={"checks": [*failing.checks, hostile]})
    root = ElementTree.fromstring(render([passing, failing], [None, "runs/1/report.html"]))
    outs = {case.attrib["name"]: case.findtext("system-out") for case in root.iter("testcase")}
    lost = outs["no_loss members"] or ""
    assert lost.startswith("LOST 1000123: acknowledged at 12.31 s")
    assert lost.endswith("\n... and 36 more\n[[ATTACHMENT|runs/1/report.html]]")
    assert outs["recovery cache"] == "[[ATTACHMENT|runs/1/report.html]]"
    assert outs["availability chat"] is None
    assert (outs["no_loss members (2)"] or "").count("[[") == 1
