"""Two series of stored runs: what is called worse, and which are not compared at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.cli.compare import compare_runs
from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.result import FaultResult, Result, RunInfo, StackResult
from chaoskit.records import Verdict
from chaoskit.series.compare import Outcome, compare


def run(recovered: float | None, verdict: Verdict = Verdict.PASS) -> Result:
    return Result(
        run=RunInfo(
            id="20260301T120000Z-redis-a1b2",
            scenario="redis",
            scenario_file="redis.yaml",
            seed=7,
            started_at=datetime(2026, 3, 1, tzinfo=UTC),
            duration=20,
            command="chaoskit run redis.yaml",
        ),
        verdict=verdict,
        exit_code=0,
        faults=[
            FaultResult(
                id="restart",
                fault="restart",
                target="redis",
                injected_at=3,
                healed_at=4,
                proven=True,
                time_to_recover=recovered,
            )
        ],
        stack=StackResult(project="p"),
    )


def series(middle: float, runs: int = 12) -> list[Result]:
    return [run(middle * (1 + number / 200)) for number in range(runs)]


def test_a_slower_recovery_is_worse_and_a_quicker_one_is_not() -> None:
    assert compare(series(1.0), series(1.3))[1].outcome is Outcome.WORSE
    assert compare(series(1.3), series(1.0))[1].outcome is Outcome.NO_WORSE


def test_a_change_below_a_tenth_is_not_worse_however_sure() -> None:
    row = compare(series(1.0), series(1.08))[1]
    assert row.p < 0.01
    assert row.outcome is Outcome.NO_WORSE


def test_a_run_that_never_recovered_is_not_counted_as_no_worse() -> None:
    row = compare(series(1.0), [*series(1.0), run(None)])[1]
    assert (row.missing, row.outcome) == (1, Outcome.UNKNOWN)


def test_runs_that_fail_more_often_are_worse_and_unknown_ones_count_as_neither() -> None:
    failing = [run(1.0, Verdict.FAIL) for _ in range(12)]
    assert compare(series(1.0), failing)[0].outcome is Outcome.WORSE
    unknown = [run(1.0, Verdict.UNKNOWN) for _ in range(12)]
    assert compare(series(1.0), unknown)[0].outcome is Outcome.UNKNOWN


def stored(place: Path, results: list[Result], scenario: str = "version: 1\n") -> str:
    for number, result in enumerate(results):
        folder = place / f"20260301T1200{number:02}Z-redis-a1b2"
        folder.mkdir(parents=True)
        (folder / "scenario.yaml").write_text(scenario)
        (folder / "result.json").write_text(result.model_dump_json())
    return str(place)


def test_the_exit_code_says_worse_no_worse_or_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(tmp_path / "before", series(1.0, 40))
    slower = stored(tmp_path / "slower", series(1.5, 40))
    same = stored(tmp_path / "same", series(1.0, 40))
    few = stored(tmp_path / "few", series(1.0, 3))
    assert compare_runs(before, slower, tmp_path, as_json=True) is ExitCode.FAILED
    rows = json.loads(capsys.readouterr().out)
    assert [row["outcome"] for row in rows] == ["no worse", "worse"]
    assert compare_runs(before, same, tmp_path, as_json=False) is ExitCode.PASSED
    assert "40 runs before, 40 after" in capsys.readouterr().out
    assert compare_runs(before, few, tmp_path, as_json=True) is ExitCode.UNKNOWN


def test_too_few_runs_are_told_how_many_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = series(1.0, 3), series(1.0, 4)
    first, second = stored(tmp_path / "before", before), stored(tmp_path / "after", after)
    assert compare_runs(first, second, tmp_path, as_json=False) is ExitCode.UNKNOWN
    failures, recovery = compare(before, after)
    assert capsys.readouterr().out.endswith(
        f"needed: `failed runs` about {failures.needed} on each side,"
        f" `restart: time to recover` about {recovery.needed} on each side\n"
    )
    for row, place in ((failures, 0), (recovery, 1)):
        assert row.needed is not None
        for runs, tells in ((row.needed, True), (row.needed - 1, False)):
            again = compare(series(1.0, runs), series(1.0, runs))[place]
            assert (again.outcome is Outcome.NO_WORSE) == tells, row.name


def test_what_scatters_beyond_all_measure_needs_more_runs_than_can_be_made() -> None:
    wild = [run(seconds) for seconds in (0.001, 1000.0, 0.001)]
    row = compare(wild, wild)[1]
    assert (row.outcome, row.needed) == (Outcome.UNKNOWN, None)


def test_runs_of_another_text_of_the_scenario_are_not_compared(tmp_path: Path) -> None:
    before = stored(tmp_path / "before", series(1.0))
    after = stored(tmp_path / "after", series(1.0), "version: 1 \n")
    with pytest.raises(UsageError, match="not of the same scenario text"):
        compare_runs(before, after, tmp_path, as_json=False)


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    before = stored(tmp_path / "before", series(1.0))
    with pytest.raises(UsageError, match="on both sides"):
        compare_runs(before, before, tmp_path, as_json=False)


@pytest.mark.parametrize("figure", [0.0, 1e308, -1e308, 5e-324])
def test_a_stored_figure_may_be_any_number(
    figure: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored(tmp_path / "before", [run(figure), *series(1.0, 3)])
    after = stored(tmp_path / "after", [run(-figure), run(figure)])
    assert compare_runs(before, after, tmp_path, as_json=True) is ExitCode.UNKNOWN
    text = capsys.readouterr().out
    json.loads(text, parse_constant=pytest.fail)
    assert compare_runs(before, after, tmp_path, as_json=False) is ExitCode.UNKNOWN
