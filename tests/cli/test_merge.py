"""`chaoskit merge`: the parts of a suite as one, and never better than they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaoskit.records import Verdict
from tests.unit.suite.test_verdict import ended

Cli = Callable[..., Any]


def store(path: Path, *results: tuple[str, Verdict]) -> None:
    """Write results as `--report json=FILE` does."""
    documents = []
    for name, verdict in results:
        document = ended(verdict, name).model_dump(mode="json")
        document["run"]["id"] = f"run-{name}"
        documents.append(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(documents if len(documents) != 1 else documents[0]))


def test_shards_become_one_table_one_report_and_one_exit_code(cli: Cli, tmp_path: Path) -> None:
    store(tmp_path / "one.json", ("kill", Verdict.PASS), ("slow", Verdict.FAIL))
    store(tmp_path / "two.json", ("restart", Verdict.PASS))
    output = cli("merge", "one.json", "two.json", "--report", "junit=j.xml", "--report", "json=all")
    assert (output.code, output.stderr) == (1, "")
    assert "total: 2 passed, 1 failed, 0 unknown of 3; 3s of run time\n" in output.stdout
    assert (tmp_path / "j.xml").read_text().count("<testsuite ") == 3
    again = cli("merge", "all")
    assert (again.code, again.stdout) == (1, output.stdout)


def test_a_run_that_is_named_twice_counts_once(cli: Cli, tmp_path: Path) -> None:
    store(tmp_path / "one.json", ("kill", Verdict.PASS))
    output = cli("merge", "one.json", "one.json")
    assert output.code == 0
    assert output.stderr == "note: run `run-kill` is there twice and counts once\n"
    assert "total: 1 passed" in output.stdout


def test_a_run_without_a_result_is_not_left_out(cli: Cli, tmp_path: Path) -> None:
    store(tmp_path / "runs" / "a" / "result.json", ("kill", Verdict.PASS))
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(exist_ok=True)
        (tmp_path / "runs" / name / "scenario.yaml").write_text("")
    output = cli("merge", "runs")
    assert (output.code, output.stdout) == (4, "")
    assert "run `b` has no result" in output.stderr


def test_unknown_verdicts_count_as_run_counts_them(cli: Cli, tmp_path: Path) -> None:
    store(tmp_path / "one.json", ("kill", Verdict.PASS), ("slow", Verdict.UNKNOWN))
    assert cli("merge", "one.json").code == 3
    assert cli("merge", "one.json", "--fail-on", "failed").code == 0


def test_what_is_no_result_is_refused_with_what_would_be_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.json").write_text("[]")
    (tmp_path / "other.json").write_text('{"a": 1}')
    output = cli("merge", "empty")
    assert output.code == 2
    assert "hint: name files that `--report json=FILE` wrote, or run folders\n" in output.stderr
    assert cli("merge", "none.json").code == 5
    assert cli("merge", "other.json").code == 4
    assert cli("merge", "absent.json").code == 2
