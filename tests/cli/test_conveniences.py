"""Completion, pipes, stdin, what was meant, and reports that cannot be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import COMMAND, SCENARIO

Cli = Callable[..., Any]


def completed(folder: Path, words: str) -> list[str]:
    """Return what bash would offer after these words."""
    env = {"_CHAOSKIT_COMPLETE": "complete_bash", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    done = subprocess.run(
        [COMMAND], cwd=folder, env=os.environ | env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def shop(cli: Cli, tmp_path: Path) -> Path:
    """A folder with scenarios and runs."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "redis.yaml").write_text(SCENARIO)
    for name in ("20260101T000000Z-shop-aaaaaa", "20260102T000000Z-shop-bbbbbb"):
        run = tmp_path / ".chaoskit/runs" / name
        run.mkdir(parents=True)
        (run / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / ".chaoskit/runs/baselines.json").write_text('{"v1.2": ["x"], "v2": ["y"]}')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("chaoskit run ", ["scenario.yaml", "scenarios", "scenarios/redis.yaml"]),
        ("chaoskit validate scenarios/r", ["scenarios/redis.yaml"]),
        ("chaoskit plan nothing", []),
        ("chaoskit run scenario.yaml --only-fault ", ["blackhole"]),
        ("chaoskit run --only-fault pac", ["packet_loss"]),
        (
            "chaoskit report ",
            ["latest", "20260102T000000Z-shop-bbbbbb", "20260101T000000Z-shop-aaaaaa"],
        ),
        ("chaoskit recover 20260101", ["20260101T000000Z-shop-aaaaaa"]),
        ("chaoskit check l", ["latest"]),
        ("chaoskit list f", ["faults"]),
        ("chaoskit check x --workload ver", ["versions"]),
        ("chaoskit run x --report j", ["json=", "junit="]),
        ("chaoskit report x --format pr", ["prompt"]),
        ("chaoskit baseline v1", ["v1.2"]),
        ("chaoskit compare --baseline ", ["v1.2", "v2"]),
        ("chaoskit runs --verdict un", ["unknown", "unfinished"]),
    ],
)
def test_a_shell_completes_files_runs_and_kinds(shop: Path, words: str, offered: list[str]) -> None:
    assert completed(shop, words) == offered


def test_the_script_for_a_shell_is_printed(cli: Cli) -> None:
    output = cli("--show-completion", "bash", env={"SHELL": "/bin/bash"})
    assert "_CHAOSKIT_COMPLETE=complete_bash" in output.stdout


def test_a_broken_scenario_breaks_no_completion(shop: Path) -> None:
    (shop / "scenario.yaml").write_text("stack: [")
    assert "blackhole" in completed(shop, "chaoskit run scenario.yaml --only-fault b")


@pytest.mark.parametrize(
    "arguments",
    ["list faults", "list checks", "schema scenario", "--help", "validate scenario.yaml"],
)
def test_a_reader_that_goes_away_is_no_failure(cli: Cli, tmp_path: Path, arguments: str) -> None:
    script = f"set -o pipefail; {COMMAND} {arguments} | true"
    for _ in range(3):  # it is a race who is first
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("scenarios/redsi.yaml", "scenarios/redis.yaml"),
        ("scenaros/redis.yaml", "scenarios/redis.yaml"),
        ("scenaros/redsi.yaml", "scenarios/redis.yaml"),
        ("./scenarioz", "scenarios"),
    ],
)
def test_a_misspelled_path_is_answered_with_the_whole_path(
    cli: Cli, shop: Path, written: str, meant: str
) -> None:
    output = cli("validate", written)
    assert output.code == 2
    assert f"did you mean `{meant}`?" in output.stderr


def test_a_misspelled_compose_file_is_answered_with_its_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "compose.yaml").write_text("services: {}\n")
    text = SCENARIO.replace("compose: compose.yaml", "compose: deploy/compse.yaml")
    (tmp_path / "scenario.yaml").write_text(text)
    assert "did you mean `deploy/compose.yaml`?" in cli("validate", "scenario.yaml").stderr


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (SCENARIO, 0, "-: ok (1 fault, 1 check)"),
        (SCENARIO.replace("tags:", "tagz:"), 2, "-:3:1: unknown key `tagz`; did you mean `tags`?"),
        ("", 2, "-:1:1: the file is empty"),
    ],
)
def test_a_scenario_is_validated_from_stdin(
    cli: Cli, tmp_path: Path, text: str, code: int, said: str
) -> None:
    done = subprocess.run(
        [COMMAND, "validate", "-"],
        cwd=tmp_path,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr


def test_a_scenario_from_stdin_is_read_once_although_an_env_file_serves_its_variables(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("LABEL=short\n")
    text = SCENARIO.replace("Redis is away for a while.", '"a ${LABEL} one"')
    done = subprocess.run(
        [COMMAND, "validate", "-"],
        cwd=tmp_path,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "-: ok (1 fault, 1 check)" in done.stdout


@pytest.mark.parametrize("file", ["scenario.yaml/x/j.xml", "/proc/nope/j.xml", ".", "x" * 300])
@pytest.mark.parametrize("command", ["run scenario.yaml", "report"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_starts(
    cli: Cli, tmp_path: Path, file: str, command: str
) -> None:
    output = cli(*command.split(), "--report", f"junit={file}")
    assert output.code == 2
    assert output.stderr.startswith(f"error: cannot write the report `{file}`: ")
    assert not (tmp_path / ".chaoskit").exists()


def test_a_report_that_can_be_written_leaves_no_trace_before_it_is(
    cli: Cli, tmp_path: Path
) -> None:
    old = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites />\n'
    (tmp_path / "old.xml").write_text(old)
    options = ["--report", "junit=out/new.xml", "--report", "junit=old.xml"]
    output = cli("run", "nothing.yaml", *options)
    assert (output.code, "nothing.yaml" in output.stderr) == (2, True)
    assert not (tmp_path / "out" / "new.xml").exists()
    assert (tmp_path / "old.xml").read_text() == old


def test_report_without_a_run_takes_the_newest_also_where_nothing_points_to_it(
    cli: Cli, shop: Path
) -> None:
    output = cli("report")
    assert "20260102T000000Z-shop-bbbbbb" in output.stderr  # which has no result


def test_report_where_no_run_is_says_so(cli: Cli) -> None:
    output = cli("report")
    assert output.code == 2
    assert output.stderr.startswith("error: there is no run in `.chaoskit/runs`\n")


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("{ htp: POST http://chat:8000/ }", "unknown key `htp` in `add`; did you mean `http`?"),
        ("{ slq: SELECT 1 }", "unknown key `slq` in `add`; did you mean `sql`?"),
        (
            "{ http: POST http://chat:8000/, jsn: {} }",
            "unknown key `jsn` in `add`; did you mean `json`?",
        ),
        ("{ grpc: x }", "an operation is one of `http:`, `redis:`, `sql:` or `websocket:`"),
    ],
)
def test_a_misspelled_key_of_an_operation_is_answered_with_the_one_that_is_meant(
    cli: Cli, tmp_path: Path, operation: str, said: str
) -> None:
    workload = (
        f"workloads:\n  adds:\n    workload: set\n    rate: 1/s\n    add: {operation}\n"
        '    read: { http: GET http://chat:8000/, values: "$[*]" }\ntimeline:'
    )
    (tmp_path / "scenario.yaml").write_text(SCENARIO.replace("timeline:", workload))
    output = cli("validate", "scenario.yaml", "--no-compose")
    assert output.code == 2
    assert said in output.stderr
