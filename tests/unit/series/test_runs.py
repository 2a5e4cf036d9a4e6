"""Runs listed, pruned, named and compared; nothing that is still needed is removed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.cli.baseline import name_baseline
from chaoskit.cli.compare import compare_with_baseline
from chaoskit.cli.runs import RunsRequest, list_runs, moment, prune
from chaoskit.cli.trend import show_trend, sparkline
from chaoskit.errors import ExitCode, NothingSelected, StoreFailed, UsageError
from chaoskit.record.lock import LOCK, RunLock
from chaoskit.series.baselines import FILE, baselines
from chaoskit.series.schedule import in_turns
from chaoskit.series.statistics import most_failures
from tests.unit.series.test_index import stored

Printed = pytest.CaptureFixture[str]


def listed(capsys: Printed, runs: Path, **filters: object) -> list[str]:
    list_runs(RunsRequest(runs, json=True, **filters), datetime(2026, 3, 2, tzinfo=UTC))  # type: ignore[arg-type]  # as named
    return [row["run"].rpartition("-")[2] for row in json.loads(capsys.readouterr().out)]


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "result.json"
    path.write_text(path.read_text().replace(old, new))


def test_runs_are_filtered_by_scenario_verdict_moment_and_number(
    tmp_path: Path, capsys: Printed
) -> None:
    stored(tmp_path, 1)
    change(stored(tmp_path, 2), '"verdict":"pass","exit_code":0', '"verdict":"fail","exit_code":1')
    stored(tmp_path, 3, "postgres")
    stored(tmp_path, 70)
    assert listed(capsys, tmp_path) == ["000001", "000002", "000003", "000046"]
    assert listed(capsys, tmp_path, scenario="postgres") == ["000003"]
    assert listed(capsys, tmp_path, verdict="fail") == ["000002"]
    assert listed(capsys, tmp_path, since="11h") == ["000046"]
    assert listed(capsys, tmp_path, since="2026-03-01T12:03") == ["000003", "000046"]
    assert listed(capsys, tmp_path, limit=2) == ["000003", "000046"]
    with pytest.raises(NothingSelected):
        listed(capsys, tmp_path, scenario="none")


def test_runs_without_a_result_are_listed_as_what_they_are(tmp_path: Path, capsys: Printed) -> None:
    stored(tmp_path, 1)
    for number in (2, 3):
        (stored(tmp_path, number) / "result.json").unlink()
    (going,) = tmp_path.glob("*-000003")
    lock = RunLock.make(going)
    assert listed(capsys, tmp_path, verdict="running") == ["000003"]
    assert listed(capsys, tmp_path, verdict="unfinished") == ["000002"]
    lock.release(finished=True)


def test_the_table_has_a_line_for_each(tmp_path: Path, capsys: Printed) -> None:
    folder = stored(tmp_path, 1)
    list_runs(RunsRequest(tmp_path))
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["RUN", "VERDICT", "TOOK", "CHECKS", "RECOVERY"]
    assert line.split() == [folder.name, "pass", "20s", "1/1", "1.5s"]


def test_csv_has_a_column_for_each_figure_and_no_formula(tmp_path: Path, capsys: Printed) -> None:
    change(stored(tmp_path, 1), '"reason":null', '"reason":"=HYPERLINK(1)"')
    list_runs(RunsRequest(tmp_path, csv=True))
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["recovery chat"] == "1.5"
    assert row["slow: time to recover"] == "0.25"
    assert row["verdict"] == "pass"
    assert "'=HYPERLINK(1)" in row.values()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"json": True, "csv": True}, "both want stdout"),
        ({"verdict": "green"}, "`green` is no verdict"),
        ({"since": "yesterday"}, "`yesterday` is no moment"),
        ({"since": "7y"}, "`7y` is no moment"),
    ],
)
def test_what_cannot_be_listed_is_said(
    tmp_path: Path, request_: dict[str, object], said: str
) -> None:
    stored(tmp_path, 1)
    with pytest.raises(UsageError, match=said):
        list_runs(RunsRequest(tmp_path, **request_))  # type: ignore[arg-type]  # as named


def test_a_date_without_a_zone_is_utc() -> None:
    now = datetime(2026, 3, 8, tzinfo=UTC)
    assert moment("7d", now) == moment("2026-03-01", now) == datetime(2026, 3, 1, tzinfo=UTC)


def there(runs: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[2] for path in runs.iterdir() if path.is_dir())


def test_prune_keeps_the_newest_of_each_scenario(tmp_path: Path, capsys: Printed) -> None:
    for number in range(5):
        stored(tmp_path, number)
    stored(tmp_path, 0x10, "postgres")
    assert prune(tmp_path, 2, None, dry_run=True) is ExitCode.PASSED
    assert len(there(tmp_path)) == 6
    assert "3 of 6 runs would be removed" in capsys.readouterr().out
    prune(tmp_path, 2, None, dry_run=False)
    assert there(tmp_path) == ["000003", "000004", "000010"]
    capsys.readouterr()
    assert listed(capsys, tmp_path) == ["000003", "000004", "000010"]
    prune(tmp_path, 1, "postgres", dry_run=False)
    assert there(tmp_path) == ["000003", "000004", "000010"]


LEDGER = [
    {"t": 0.0, "step": "open", "version": 1, "run": "r", "project": "p"},
    {"t": 0.1, "step": "intent", "id": "stack", "kind": "stack", "undo": {}},
]


def test_prune_never_removes_what_is_still_needed(tmp_path: Path, capsys: Printed) -> None:
    going, killed, unhealed, healed, named, unreadable, _ = (
        stored(tmp_path, number) for number in range(7)
    )
    lock = RunLock.make(going)
    (killed / LOCK).touch()
    rows = [json.dumps(row) + "\n" for row in LEDGER]
    (unhealed / "ledger.ndjson").write_text("".join(rows))
    end = json.dumps({"t": 0.2, "step": "healed", "id": "stack"}) + "\n"
    (healed / "ledger.ndjson").write_text("".join(rows) + end)
    (unreadable / "ledger.ndjson").write_text("[1]\n" + rows[0].replace("1,", "99,"))
    name_baseline("v1", [named.name], tmp_path, remove=False)
    prune(tmp_path, 1, None, dry_run=False)
    out = capsys.readouterr().out
    assert there(tmp_path) == ["000000", "000001", "000002", "000004", "000005", "000006"]
    for folder, why in (
        (going, "goes on"),
        (killed, "was killed"),
        (unhealed, "left something behind"),
        (named, "is part of a baseline"),
        (unreadable, "has a ledger that cannot be read"),
    ):
        assert f"stays    {folder.name}: it {why}" in out
    lock.release(finished=True)
    prune(tmp_path, 1, None, dry_run=False)
    assert not going.exists()


def test_prune_follows_no_link_and_finishes_what_was_removed_half(
    tmp_path: Path, capsys: Printed
) -> None:
    elsewhere = stored(tmp_path / "elsewhere", 1)
    runs = tmp_path / "runs"
    stored(runs, 2)
    (runs / elsewhere.name).symlink_to(elsewhere)
    (runs / ".removing-x").mkdir()
    (runs / ".removing-x" / "scenario.yaml").write_text("")
    prune(runs, 1, None, dry_run=False)
    assert "it is a link" in capsys.readouterr().out
    assert (elsewhere / "result.json").exists()
    assert not (runs / ".removing-x").exists()


def test_a_damaged_file_of_baselines_stops_prune(tmp_path: Path) -> None:
    stored(tmp_path, 1)
    stored(tmp_path, 2)
    for text in ("{", "[]", '{"a": "b"}', '{"a": [1]}'):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(StoreFailed):
            prune(tmp_path, 1, None, dry_run=False)
    assert there(tmp_path) == ["000001", "000002"]


def test_a_baseline_is_named_shown_replaced_and_forgotten(tmp_path: Path, capsys: Printed) -> None:
    one, two = stored(tmp_path, 1), stored(tmp_path, 2)
    name_baseline("v1", [one.name, two.name, one.name], tmp_path, remove=False)
    assert baselines(tmp_path) == {"v1": [one.name, two.name]}
    name_baseline("v1", ["000002"], tmp_path, remove=False)
    assert baselines(tmp_path) == {"v1": [two.name]}
    capsys.readouterr()
    name_baseline("v1", [], tmp_path, remove=False)
    assert capsys.readouterr().out == f"{two.name}\n"
    name_baseline(None, [], tmp_path, remove=False)
    assert capsys.readouterr().out.startswith("v1: 1 run, from ")
    name_baseline("v1", [], tmp_path, remove=True)
    assert baselines(tmp_path) == {}
    with pytest.raises(NothingSelected):
        name_baseline(None, [], tmp_path, remove=False)


def test_what_cannot_be_a_baseline_is_said(tmp_path: Path) -> None:
    one, two = stored(tmp_path, 1), stored(tmp_path, 2)
    (two / "scenario.yaml").write_text("name: redis # changed\n")
    for name, named, said in (
        ("../x", [one.name], "is no name for a baseline"),
        ("v1", [one.name, two.name], "not of the same scenario text"),
        ("v1", ["nope"], "no run `nope`"),
        ("v1", [], "no baseline `v1`"),
    ):
        with pytest.raises(UsageError, match=said):
            name_baseline(name, named, tmp_path, remove=False)
    with pytest.raises(UsageError, match="whole baseline"):
        name_baseline("v1", [one.name], tmp_path, remove=True)


def slower(folder: Path, recovered: float) -> Path:
    change(folder, '"time_to_recover":0.25', f'"time_to_recover":{recovered}')
    return folder


def test_later_runs_are_compared_with_a_baseline_but_only_of_the_same_text(
    tmp_path: Path, capsys: Printed
) -> None:
    before = [slower(stored(tmp_path, n), 1 + n / 500) for n in range(10)]
    name_baseline("v1", [path.name for path in before], tmp_path, remove=False)
    with pytest.raises(UsageError, match="no run of the same text"):
        compare_with_baseline("v1", None, tmp_path, as_json=False)
    for n in range(10, 20):
        slower(stored(tmp_path, n), 1.4 + n / 500)
    other = stored(tmp_path, 30)
    (other / "scenario.yaml").write_text("name: redis # changed\n")
    capsys.readouterr()
    assert compare_with_baseline("v1", None, tmp_path, as_json=True) is ExitCode.FAILED
    out, err = capsys.readouterr()
    assert {row["name"]: row["outcome"] for row in json.loads(out)}[
        "slow: time to recover"
    ] == "worse"
    assert err == "1 later run of another text of it left out\n"
    with pytest.raises(UsageError, match="not of the same scenario text"):
        compare_with_baseline("v1", other.name, tmp_path, as_json=False)
    (before[0] / "result.json").unlink()
    with pytest.raises(UsageError, match=f"run `{before[0].name}` of baseline `v1` is gone"):
        compare_with_baseline("v1", None, tmp_path, as_json=False)


def test_a_trend_shows_verdicts_figures_and_what_became_slower(
    tmp_path: Path, capsys: Printed
) -> None:
    for n in range(10):
        slower(stored(tmp_path, n), 1 + n / 500)
    for n in range(10, 20):
        slower(stored(tmp_path, n), 1.4 + n / 500)
    change(
        next(tmp_path.glob("*-000013")),
        '"verdict":"pass","exit_code"',
        '"verdict":"fail","exit_code"',
    )
    (stored(tmp_path, 20) / "result.json").unlink()
    show_trend("redis", tmp_path, 60, as_json=False)
    out = capsys.readouterr().out
    assert "redis: 20 runs, 2026-03-01T12:00 to 2026-03-01T12:19" in out
    assert "  verdicts  ...................F" in out
    assert "failed 1 of 20 (5%; at 95% no more than 22%)" in out
    assert "the last 10 are slower than the 10 before: +" in out
    assert out.count("slower") == 1
    with pytest.raises(NothingSelected, match="no run of `nope`"):
        show_trend("nope", tmp_path, 60, as_json=False)


def test_figures_of_another_text_of_the_scenario_are_left_out(
    tmp_path: Path, capsys: Printed
) -> None:
    old, _ = slower(stored(tmp_path, 1), 99.0), stored(tmp_path, 2)
    (old / "scenario.yaml").write_text("name: redis # before\n")
    show_trend("redis", tmp_path, 60, as_json=False)
    out = capsys.readouterr().out
    assert "1 run has another text of the scenario: their figures are left out" in out
    assert "99" not in out


def test_a_sparkline_has_a_bar_for_each_value_from_zero() -> None:
    assert sparkline([0.0, 0.5, 1.0, None, 1.0]) == "▁▅█ █"
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


def test_variants_run_in_the_order_a_b_b_a() -> None:
    assert in_turns(3) == [0, 1, 1, 0, 0, 1]
    for rounds in (2, 4, 10):
        places = [[n for n, side in enumerate(in_turns(rounds)) if side == x] for x in (0, 1)]
        assert len(places[0]) == len(places[1]) == rounds
        assert sum(places[0]) == sum(places[1])


@pytest.mark.parametrize(
    ("failed", "runs", "expected"), [(0, 20, 0.1391), (1, 20, 0.2161), (0, 1, 0.95), (3, 3, 1.0)]
)
def test_the_bound_of_failures_is_that_of_clopper_and_pearson(
    failed: int, runs: int, expected: float
) -> None:
    assert most_failures(failed, runs) == pytest.approx(expected, abs=1e-4)
