"""The index says what the folders say, whatever happens to its file."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.judge.result import CheckResult, FaultResult, Quantity, Result, RunInfo, StackResult
from chaoskit.record.folder import PAST
from chaoskit.records import Verdict
from chaoskit.series.index import FILE, Index
from chaoskit.series.past import MOST, remember


def stored(
    runs: Path, number: int, scenario: str = "redis", *, recovered: float | None = 1.5
) -> Path:
    """Make the folder of a run with its result; its number is the minute at which it started."""
    started = datetime(2026, 3, 1, 12 + number // 60, number % 60, tzinfo=UTC)
    folder = runs / f"{started:%Y%m%dT%H%M%SZ}-{scenario}-{number:06x}"
    folder.mkdir(parents=True)
    check = CheckResult(
        check="recovery",
        subject="chat",
        verdict=Verdict.PASS,
        measured=Quantity(text="1.5s", value=recovered, unit="s"),
        bound=Quantity(text="<= 5s"),
    )
    fault = FaultResult(
        id="slow", fault="latency", target="a -> b", injected_at=1, healed_at=2, proven=True,
        time_to_recover=0.25,
    )  # fmt: skip
    result = Result(
        run=RunInfo(
            id=folder.name, scenario=scenario, scenario_file="s.yaml", seed=number,
            started_at=started, duration=20, command="chaoskit run s.yaml",
        ),
        verdict=Verdict.PASS, exit_code=0, checks=[check], faults=[fault],
        stack=StackResult(project="p"),
    )  # fmt: skip
    (folder / "scenario.yaml").write_text(f"name: {scenario}\n")
    (folder / "result.json").write_text(result.model_dump_json())
    return folder


def names(runs: Path, scenario: str | None = None) -> list[str]:
    with Index.of(runs) as index:
        return [row.run for row in index.rows(scenario)]


def on_disk(runs: Path) -> list[str]:
    """Return the runs in the file, without looking at the folders."""
    connection = sqlite3.connect(runs / FILE)
    try:
        return [run for (run,) in connection.execute("SELECT run FROM runs ORDER BY run")]
    finally:
        connection.close()


def test_a_row_has_what_the_result_says(tmp_path: Path) -> None:
    folder = stored(tmp_path, 7)
    with Index.of(tmp_path) as index:
        (row,) = index.rows()
    assert (row.run, row.scenario, row.verdict, row.seed) == (folder.name, "redis", "pass", 7)
    assert (row.started, row.seconds) == ("2026-03-01T12:07:00+00:00", 20)
    assert row.recovery == {"recovery chat": 1.5}
    assert row.figures == {"slow: time to recover": 0.25}


def test_it_follows_the_folders(tmp_path: Path) -> None:
    one, two = stored(tmp_path, 1), stored(tmp_path, 2, "postgres")
    assert names(tmp_path) == [one.name, two.name]
    assert names(tmp_path, "redis") == [one.name]
    (two / "result.json").rename(two / "away")
    assert names(tmp_path) == [one.name]
    (two / "away").rename(two / "result.json")
    changed = (one / "result.json").read_text().replace('"duration":20', '"duration":30')
    (one / "result.json").write_text(changed)
    with Index.of(tmp_path) as index:
        assert [row.seconds for row in index.rows()] == [30, 20]
    (one / "result.json").write_text("{")
    assert names(tmp_path) == [two.name]


def test_only_this_user_can_read_it(tmp_path: Path) -> None:
    stored(tmp_path, 1)
    names(tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def garble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    rng = random.Random(3)
    for place in range(0, len(data), 7):
        data[place] = rng.randrange(256)
    path.write_bytes(data)


def garble_the_rows(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    path.write_bytes(data)


def sql(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no database\n" * 500),
        cut,
        garble,
        garble_the_rows,
        sql("DROP TABLE runs"),
        sql("ALTER TABLE runs DROP COLUMN seconds"),
        sql("UPDATE runs SET recovery = '[]'"),
        sql('UPDATE runs SET figures = \'{"a": "b"}\''),
        sql("UPDATE runs SET seconds = 'long'"),
        sql("PRAGMA user_version = 0"),
    ],
)
def test_it_is_made_again_when_it_is_lost_or_damaged(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    expected = [stored(tmp_path, number).name for number in range(30)]
    assert names(tmp_path) == expected
    damage(tmp_path / FILE)
    assert names(tmp_path) == expected
    assert names(tmp_path) == expected
    assert on_disk(tmp_path) == expected


def test_one_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    run = stored(tmp_path, 1).name
    names(tmp_path)
    sql("PRAGMA user_version = 99")(tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes()
    assert names(tmp_path) == [run]
    assert (tmp_path / FILE).read_bytes() == before


def test_it_is_not_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = stored(tmp_path / "runs", 1).name
    (tmp_path / "mine").write_text("")
    (tmp_path / "runs" / FILE).symlink_to(tmp_path / "mine")
    assert names(Path("runs")) == [run]
    assert (tmp_path / "mine").read_text() == ""


WRITER = """
import sys
from pathlib import Path
from chaoskit.series.index import Index
print("ready", flush=True)
while True:
    with Index.of(Path(sys.argv[1])) as index:
        index._connection.execute("BEGIN IMMEDIATE")
        index._connection.execute("UPDATE runs SET stamp = ''")
        index._connection.execute("COMMIT")
"""


def writer(runs: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(runs)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_writer_that_is_killed_damages_nothing(tmp_path: Path) -> None:
    expected = [stored(tmp_path, number).name for number in range(20)]
    rng = random.Random(5)
    for _ in range(8):
        process = writer(tmp_path)
        time.sleep(rng.uniform(0.05, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert names(tmp_path) == expected
        assert on_disk(tmp_path) == expected


def test_two_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    expected = [stored(tmp_path, number).name for number in range(20)]
    writers = [writer(tmp_path), writer(tmp_path)]
    try:
        for number in range(20, 30):
            expected.append(stored(tmp_path, number).name)
            assert names(tmp_path) == expected
        assert [process.poll() for process in writers] == [None, None]
    finally:
        for process in writers:
            process.kill()
            process.communicate()
    assert names(tmp_path) == expected
    assert on_disk(tmp_path) == expected


def test_a_run_keeps_the_last_runs_of_its_scenario_up_to_itself(tmp_path: Path) -> None:
    folders = [stored(tmp_path, number) for number in range(MOST + 5)]
    stored(tmp_path, 50, "postgres")
    assert remember(folders[-2]) is None
    past = json.loads((folders[-2] / PAST).read_text())
    assert [one["run"] for one in past] == [path.name for path in folders[4:-1]]
    assert past[-1] == {
        "run": folders[-2].name,
        "verdict": "pass",
        "started": "2026-03-01T12:23:00+00:00",
        "seconds": 20.0,
        "recovery": {"recovery chat": 1.5},
    }


def test_what_keeps_the_past_from_being_written_is_said_in_words(tmp_path: Path) -> None:
    folder = stored(tmp_path, 1)
    (folder / PAST).mkdir()
    assert "is not kept: " in (remember(folder) or "")
    (folder / "result.json").unlink()
    assert "is not in the index" in (remember(folder) or "")
