"""In a job of GitHub: folded logs, nothing of which is a command, annotations and a summary."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.cli.github import LARGEST_SUMMARY, bounded, quoted, say_in_job
from chaoskit.judge.result import CheckResult, Quantity, Result, RunInfo, StackResult
from chaoskit.judge.stored import StoredRun
from chaoskit.records import Verdict


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    (tmp_path / "scenario.yaml").write_text("name: a\nexpect:\n  - { check: no_loss }\n")
    result = Result(
        run=RunInfo(
            id="20260301T120000Z-a-1",
            scenario="a",
            scenario_file="a.yaml",
            seed=1,
            started_at=datetime(2026, 3, 1, tzinfo=UTC),
            duration=1,
            command="chaoskit run a.yaml",
        ),
        verdict=Verdict.FAIL,
        exit_code=1,
        reason="lost",
        checks=[
            CheckResult(
                check="no_loss",
                subject="w",
                verdict=Verdict.FAIL,
                measured=Quantity(text="1"),
                bound=Quantity(text="0"),
                reason="lost",
            )
        ],
        stack=StackResult(project="p"),
    )
    return StoredRun(result, tmp_path)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    return tmp_path / "step.md"


def test_what_is_printed_inside_is_folded_and_no_command(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with quoted("run a.yaml\n::error::x"):
        print("::error::from a container")
    with quoted():
        pass
    out, err = capsys.readouterr()
    assert out == "::error::from a container\n"
    lines = err.splitlines()
    word = re.fullmatch("::stop-commands::([0-9a-f]{32})", lines[1])
    assert word is not None
    assert lines[0] == "::group::run a.yaml ::error::x"
    assert lines[2:4] == [f"::{word[1]}::", "::endgroup::"]
    assert len(lines) == 6
    assert word[1] not in "".join(lines[4:])


def test_commands_go_on_after_an_error_inside(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError), quoted("a"):
        raise ValueError
    assert capsys.readouterr().err.splitlines()[-1] == "::endgroup::"


def test_failures_are_annotated_and_summed_up_after_what_is_there(
    run: StoredRun, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job.write_text("before\n")
    say_in_job([run])
    assert capsys.readouterr().err == "::error file=a.yaml,line=3,title=a%3A no_loss w::lost\n"
    assert job.read_text().startswith("before\n## FAIL: a\n")


def test_elsewhere_nothing_of_it_is_done(
    run: StoredRun, job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    with quoted("a"):
        say_in_job([run])
    assert capsys.readouterr() == ("", "")
    assert not job.exists()


def test_a_summary_that_cannot_be_written_is_a_warning(
    run: StoredRun, job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job.mkdir()
    say_in_job([run])
    assert "warning: cannot write the job's summary" in capsys.readouterr().err


def test_the_summary_stays_below_its_limit_together_with_what_is_there(
    run: StoredRun, job: Path
) -> None:
    job.write_text("x" * (LARGEST_SUMMARY - 150))
    say_in_job([run])
    size = job.stat().st_size
    assert LARGEST_SUMMARY - 150 < size <= LARGEST_SUMMARY
    assert job.read_text().endswith("it is in the run folders)\n")
    say_in_job([run])
    assert job.stat().st_size <= LARGEST_SUMMARY


def test_a_text_that_fits_is_left_alone_and_another_is_cut_between_lines() -> None:
    assert bounded("é\n", 3) == "é\n"
    cut = bounded("é" * 100 + "\n" + "é" * 100, 290)
    assert cut.startswith("é" * 100 + "\n\n(the rest")
    assert bounded("é" * 100, 10) == ""
