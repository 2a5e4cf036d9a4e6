"""Annotations: on the line that asks for the check, worst first, ten at most, never two lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaoskit.judge.result import Result
from chaoskit.judge.stored import StoredRun
from chaoskit.report.annotation import MOST, as_links, worst

SCENARIO = """\
name: redis-kill
expect:
  - { check: recovery, probe: cache }
  # what counts
  - check: no_loss
    workload: members
  - { check: availability, probe: chat }
"""


@pytest.fixture
def run(failing: Result, tmp_path: Path) -> StoredRun:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    return StoredRun(failing.model_copy(update={"leftovers": [], "exit_code": 1}), tmp_path)


def test_failures_come_first_each_on_its_own_line(run: StoredRun) -> None:
    commands = [one.workflow_command() for one in worst([run])]
    assert [command.split("::")[1] for command in commands] == [
        "error file=scenarios/redis-kill.yaml,line=5,title=redis-kill%3A no_loss members",
        "warning file=scenarios/redis-kill.yaml,line=3,title=redis-kill%3A recovery cache",
        "warning file=scenarios/redis-kill.yaml,line=1,title=redis-kill",
    ]
    assert commands[0].startswith("::error ")
    assert "::37 of 912 acknowledged values of workload `members` are lost (4.1%25):" in commands[0]
    assert "::fault slow is not proven: the edge `chat -> redis` carried nothing" in commands[2]


def test_a_pass_has_none(passing: Result, tmp_path: Path) -> None:
    assert worst([StoredRun(passing, tmp_path)]) == []


def test_there_are_ten_and_no_failure_is_among_those_left_out(run: StoredRun) -> None:
    listed = worst([run] * 9)
    assert [one.verdict.value for one in listed] == ["fail"] * 9 + ["unknown"]
    assert len(listed) == MOST


def test_hostile_text_stays_one_command(run: StoredRun) -> None:
    nasty = "x\r\n::error::y%0A,z"
    checks = [
        check.model_copy(update={"reason": nasty, "subject": nasty}) for check in run.result.checks
    ]
    info = run.result.run.model_copy(update={"scenario_file": "a,b:c\n::stop.yaml"})
    result = run.result.model_copy(update={"checks": checks, "run": info})
    for one in worst([StoredRun(result, run.folder)]):
        command = one.workflow_command()
        assert len(command.splitlines()) == 1
        assert "file=a%2Cb%3Ac %3A%3Astop.yaml,line=" in command
    assert (
        "%250A%2Cz::x ::error::y%250A,z"
        in worst([StoredRun(result, run.folder)])[0].workflow_command()
    )


def test_a_scenario_that_a_mask_broke_has_its_first_line(run: StoredRun) -> None:
    assert run.folder is not None
    (run.folder / "scenario.yaml").write_text("expect: [ {\n")
    assert {one.line for one in worst([run])} == {1}


def test_gitlab_gets_links_to_the_lines(run: StoredRun) -> None:
    links = json.loads(as_links([run], "https://forge/p/-/blob/abc/"))
    assert list(links) == ["chaoskit"]
    first = links["chaoskit"][0]
    assert first.keys() == {"external_link"}
    assert first["external_link"].keys() == {"label", "url"}
    assert (
        first["external_link"]["url"] == "https://forge/p/-/blob/abc/scenarios/redis-kill.yaml#L5"
    )
    assert first["external_link"]["label"].startswith("FAIL redis-kill: no_loss members: 37 of 912")
