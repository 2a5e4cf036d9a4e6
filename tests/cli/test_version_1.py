"""Run folders that version 1 wrote are still shown and judged; the fixtures are real ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Output

FIXTURES = Path(__file__).parents[1] / "fixtures" / "v1"
FINISHED, KILLED = "20261125T204947Z-v1-finished-155c5c", "20261125T205001Z-v1-killed-b8fc6c"

Cli = Callable[..., Output]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folders of a finished run, and of one that was killed in a fault with its guard."""
    runs = tmp_path / ".chaoskit" / "runs"
    shutil.copytree(FIXTURES, runs)
    return runs


def shown(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


TABLES = """\
PASS availability count 100% (of 30) >= 40%
PASS latency count p99 408ms (of 30) p99 <= 2s
FAIL latency count p99 161ms (of 8) p99 <= 10ms
PASS no_loss members 0 lost (of 31) none lost
PASS stays_up chat up all the time stays up
slow (latency) chat -> redis yes 6.0 - 8.0 s - 0s
frozen (pause) redis yes 8.5 - 9.5 s - 0s
slow (latency): redis PING through chat -> redis:6379: 5.97ms before, 153ms
frozen (pause): redis PING through chat -> redis:6379: 3.3ms before, no""".splitlines()


def test_its_report_is_what_it_was(cli: Cli, runs: Path) -> None:
    done = cli("report", FINISHED)
    assert (done.code, done.stderr) == (0, "")
    assert [line for line in TABLES if line not in shown(done.stdout)] == []


def test_its_document_is_given_in_the_form_of_today(cli: Cli, runs: Path) -> None:
    document = json.loads(cli("report", FINISHED, "--json").stdout)
    assert document["schema_version"] == 2
    assert [(p["name"], p["kind"]) for p in document["probes"]] == [("count", "http")]
    assert [(w["name"], w["kind"]) for w in document["workloads"]] == [("members", "set")]
    measured = {"text": "p99 408ms (of 30)", "value": None, "unit": None}
    assert document["checks"][1]["measured"] == measured


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("prompt", "FAIL latency count (/home/dev/app/v1-finished.yaml:"),
        ("metrics", "chaoskit_run_passed{scenario="),
        ("annotations", '"label": "FAIL '),
        ("junit", "<property name="),
        ("summary", "## FAIL"),
        ("json", '"schema_version": 2'),
    ],
)
def test_every_kind_of_report_is_made_of_it_on_stdout(
    cli: Cli, runs: Path, kind: str, said: str
) -> None:
    done = cli("report", FINISHED, "--format", kind)
    assert (done.code, done.stderr) == (0, "")
    assert said in done.stdout
    assert cli("report", FINISHED, "--report", f"{kind}=-").stdout == done.stdout


def test_the_history_knows_it(cli: Cli, runs: Path) -> None:
    (row,) = json.loads(cli("runs", "--verdict", "fail", "--json").stdout)
    assert (row["run"], row["scenario"], row["checks"]) == (FINISHED, "v1-finished", 5)
    table = shown(cli("runs").stdout)
    assert table[1].startswith(f"{FINISHED} fail")
    assert table[2].startswith(f"{KILLED} unfinished")
    assert "verdicts F" in shown(cli("trend", "v1-finished").stdout)
    assert cli("runs", "prune", "--keep", "1", "--dry-run").stdout.startswith("0 of 2 runs")


def test_it_is_judged_again_as_it_was_judged_then(cli: Cli, runs: Path) -> None:
    done = cli("check", FINISHED)
    assert (done.code, done.stderr) == (1, "")
    assert [line for line in TABLES if line not in shown(done.stdout)] == []


def test_one_that_was_killed_proves_nothing_and_says_where_it_ended(cli: Cli, runs: Path) -> None:
    done = cli("check", KILLED)
    assert done.code == 3
    out = shown(done.stdout)
    assert "UNKNOWN v1-killed: the run was cut off in the faults phase" in out
    assert "slow (latency) chat -> redis NO 6.4 - 8.5 s - 0s" in out
    assert "frozen (pause) redis NO 8.9 - not healed - -" in out
    assert out.count("slow (latency): the run ended before it was proven") == 1


def test_a_result_that_no_version_wrote_is_refused(cli: Cli, runs: Path) -> None:
    (runs / FINISHED / "result.json").write_text('{"schema_version": 3}')
    done = cli("report", FINISHED)
    assert done.code == 4
    assert "is not a result of this version of chaoskit" in done.stderr
