"""Every command that runs nothing: exact output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chaoskit import __version__
from chaoskit.judge.result import Result

Cli = Callable[..., Any]
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent.sock"}


@pytest.mark.parametrize("words", ["runs", "baseline", "trend shop"])
def test_a_directory_without_runs_is_exit_code_5(cli: Cli, words: str) -> None:
    output = cli(*words.split())
    assert (output.code, output.stdout) == (5, "")
    assert "`.chaoskit/runs`" in output.stderr
    assert "hint: " in output.stderr


def test_version_and_help_answer_on_stdout(cli: Cli) -> None:
    output = cli("--version")
    assert (output.code, output.stdout, output.stderr) == (0, f"chaoskit {__version__}\n", "")
    for option in ("-h", "--help"):
        output = cli(option)
        assert output.code == 0
        assert output.stderr == ""
        for command in ("run", "validate", "plan", "list", "doctor", "schema"):
            assert f" {command} " in output.stdout
        assert "Exit codes: 0 passed, 1 failed" in output.stdout
        assert cli("run", option).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage: chaoskit"),
        (("rnu",), "No such command 'rnu'"),
        (("run",), "Missing argument"),
        (("run", "--nope", "scenario.yaml"), "No such option: --nope"),
        (("run", ""), "error: an argument is empty\nhint: is a variable of your shell not set?\n"),
        (("validate", "scenario.yaml", ""), "error: an argument is empty\n"),
        (("run", "scenario.yaml", "--tag", ""), "error: the value of `--tag` is empty\n"),
        (("run", "scenario.yaml", "--name="), "error: the value of `--name` is empty\n"),
        (("report", "--html", ""), "error: the value of `--html` is empty\n"),
        (("runs", "--runs-dir="), "error: the value of `--runs-dir` is empty\n"),
        (("run", "nothing.yaml"), "error: no file or directory `nothing.yaml`\n"),
        (("run", "scenario.yaml", "--seed", "x"), "Invalid value for '--seed'"),
        (("run", "scenario.yaml", "--report", "nope=x"), "hint: KIND is one of json, junit, "),
        (("run", "scenario.yaml", "--json", "--report", "junit=-"), "both want stdout"),
        (("run", "scenario.yaml", "--events", "-", "--report", "json=-"), "both want stdout"),
        (("report", "--report", "junit=-", "--report", "json=-"), "two reports cannot go to `-`"),
        (("report", "--report", "junit=x", "--format", "nope"), "`nope` is no kind of report"),
        (("report", "--format", "prompt", "--json"), "`--format` and `--json` both want stdout"),
        (("run", "scenario.yaml", "--tag", "rediss"), "did you mean `redis`?\nhint: there are"),
        (("run", "scenario.yaml", "--shard", "4/3"), "hint: write the second of three parts as"),
        (("run", "scenario.yaml", "--fail-on", "x"), "is neither `failed` nor `unknown`\n"),
        (("run", "scenario.yaml", "--repeat", "0"), "Invalid value for '--repeat'"),
        (("run", "scenario.yaml", "--only-fault", "nope"), "hint: it has: blackhole\n"),
        (("run", "scenario.yaml", "--events", "/proc/nope/x"), "cannot write events"),
        (("list", "nodes"), "hint: one of faults, probes, workloads, checks, scenarios\n"),
        (("schema", "nope"), "hint: one of scenario, result, events\n"),
        (("plan", "."), "is a directory"),
        (("compare", "before", "after"), "error: no run `before`\n"),
        (("compare", ",", "after"), "error: a side of the comparison names no run\n"),
        (("compare", "before"), "hint: chaoskit compare BEFORE AFTER, or --baseline NAME"),
        (("compare", "--baseline", "v1"), "error: no baseline `v1` in `.chaoskit/runs`\n"),
        (("compare", "scenario.yaml", "--interleave", "x", "A=1"), "`x` is no variant"),
        (("runs", "--verdict", "green"), "hint: it is one of pass, fail, unknown, running"),
        (("runs", "--since", "ever"), "hint: write 30m, 12h, 7d, 2w, or a date"),
        (("runs", "prune", "--keep", "0"), "Invalid value for '--keep'"),
        (("baseline", "../v1", "run"), "error: no run `run`\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_wrong_usage_is_exit_code_2_and_says_what_to_do(
    cli: Cli, arguments: tuple[str, ...], words: str
) -> None:
    output = cli(*arguments)
    assert output.code == 2
    assert words in output.stdout + output.stderr


@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_directory_without_scenarios_selects_nothing(
    cli: Cli, tmp_path: Path, command: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "compose.yaml").write_text("services: {}\n")
    output = cli(command, "empty")
    assert (output.code, output.stdout) == (5, "")
    assert output.stderr == (
        "error: no scenario in `empty`\n"
        "hint: a scenario is a .yaml file with `stack`, `probes`, `timeline`, `expect`\n"
    )


def test_a_selection_that_leaves_nothing_is_exit_code_5(cli: Cli) -> None:
    output = cli("run", "scenario.yaml", "--tag", "redis", "--exclude", "shop")
    assert (output.code, output.stdout) == (5, "")
    assert output.stderr == (
        "error: none of 1 scenario is left by `--tag redis` `--exclude shop`\n"
        "hint: they are `shop`\n"
    )


def test_a_scenario_that_could_not_be_run_is_in_every_report(cli: Cli, tmp_path: Path) -> None:
    output = cli("run", "scenario.yaml", "--report", "junit=j.xml", "--json", env=NO_ENGINE)
    assert output.code == 4
    assert json.loads(output.stdout)["reason"].startswith("the Docker engine at")
    assert 'errors="1"' in (tmp_path / "j.xml").read_text()


def test_an_engine_that_does_not_answer_is_exit_code_4_with_the_way_out(
    cli: Cli, tmp_path: Path
) -> None:
    output = cli("run", "scenario.yaml", env=NO_ENGINE)
    assert (output.code, output.stdout) == (4, "")
    assert output.stderr == (
        "error: the Docker engine at `unix:///nonexistent.sock` does not answer: there is no such"
        " socket\n"
        "hint: start Docker (Docker Desktop, `systemctl start docker` or `make setup`), or unset"
        " DOCKER_HOST, which names this address\n"
    )
    assert not (tmp_path / ".chaoskit").exists()


def test_doctor_names_each_need_and_how_to_meet_it(cli: Cli) -> None:
    output = cli("doctor")
    assert output.code == 0
    lines = output.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warn", "fix:") for line in lines)
    for need in ("python", "docker compose", "docker engine", "toxiproxy image", "leftovers"):
        assert any(f"  {need}  " in line for line in lines), need
    for need in (
        "helper image",
        "netfilter",
        "nat",
        "host processes",
        "cpu limits",
        "memory limits",
    ):
        (line,) = (line for line in lines if f"  {need}  " in line)
        assert line.startswith("ok    "), line
    (line,) = (line for line in lines if "  host processes  " in line)
    assert line.endswith("works (crash, disk_full)")
    (line,) = (line for line in lines if "  helper image  " in line)
    assert "netfilter`, readdress, recreate with `volumes: lose`, refuse" in line
    for need in ("rootless", "cgroups", "netem"):  # what explains the host; nothing needs it
        assert any(line.startswith(f"ok    {need}  ") for line in lines), need
    output = cli("doctor", env=NO_ENGINE)
    assert output.code == 4
    assert "fail  docker engine" in output.stdout
    assert "fix: start Docker" in output.stdout


def test_plan_says_what_a_run_would_do(cli: Cli, tmp_path: Path) -> None:
    output = cli("plan", "scenario.yaml")
    assert (output.code, output.stderr) == (0, "")
    assert (
        output.stdout
        == f"""\
shop: Redis is away for a while.
stack      {tmp_path}/compose.yaml (2 services), as a copy of its own
fault      blackhole: blackhole at 0s for 2s
             hits   silence on chat -> redis, new and live connections
             undo   remove the toxics, which closes the connections of this edge
             not tested   slow connecting: the TCP handshake with the proxy still succeeds
edge       chat -> redis:6379  proxied (environment REDIS_URL)
edges      1 more possible, nothing points to them (see --json)
from host  chat:8000
"""
    )
    plan = json.loads(cli("plan", "scenario.yaml", "--json").stdout)
    assert [edge for edge in plan["edges"] if edge["proxied"]] == [
        {
            "client": "chat",
            "upstream": "redis",
            "port": 6379,
            "evidence": "environment REDIS_URL",
            "obstacle": None,
            "proxied": True,
            "udp": False,
        }
    ]
    assert plan["faults"][0]["id"] == "blackhole"
    without = cli("plan", "scenario.yaml", env=NO_ENGINE)
    assert without.code == 0
    assert "no engine answers" in without.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compose.yaml", "scenario.yaml"]


def test_what_a_run_refuses_by_its_files_is_refused_before(cli: Cli, tmp_path: Path) -> None:
    compose = (tmp_path / "compose.yaml").read_text()
    mounts = '    volumes: ["./data:/data", "./conf:/conf:ro"]\n'
    (tmp_path / "compose.yaml").write_text(compose + mounts)
    scenario = (tmp_path / "scenario.yaml").read_text()
    disk = "{ at: 4s, for: 1s, fault: disk_full, service: redis, mount: /nowhere }"
    (tmp_path / "scenario.yaml").write_text(
        scenario.replace("  settle:", f"    - {disk}\n  settle:")
    )
    refused = (
        "the run would not be on its own copy of `./data` (writable bind mount of `redis`)",
        "      = allow it with `stack: {shared: [./data]}` if faults may touch it",
        "`disk_full` is not possible in this stack:",
    )
    for command in ("validate", "plan", "run"):
        output = cli(command, "scenario.yaml")
        assert output.code == 2, command
        for line in refused:
            assert line in output.stderr, command
    assert "./data: writable bind mount of redis (refused)" in cli("plan", "scenario.yaml").stdout
    allowed = scenario.replace("compose.yaml }", "compose.yaml, shared: [./data] }")
    (tmp_path / "scenario.yaml").write_text(allowed)
    for command in ("validate", "plan"):
        assert cli(command, "scenario.yaml").code == 0, command


def test_validate_says_ok_per_file(cli: Cli) -> None:
    output = cli("validate", "scenario.yaml")
    assert (output.code, output.stderr) == (0, "")
    assert output.stdout.startswith("scenario.yaml: ok (1 fault")


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("faults", ["blackhole", "kill", "latency", "partition", "pause", "refuse", "restart"]),
        ("probes", ["container", "http", "postgres", "redis", "tcp"]),
        ("workloads", ["set"]),
        ("checks", ["availability", "detection", "latency", "no_loss", "recovery"]),
    ],
)
def test_list_has_a_line_with_a_sentence_per_kind(cli: Cli, what: str, names: list[str]) -> None:
    output = cli("list", what)
    assert output.code == 0
    lines = output.stdout.splitlines()
    listed = [line.split()[0] for line in lines]
    assert listed == sorted(listed)
    assert set(names) <= set(listed)
    assert all(line.endswith(".") or "`" in line for line in lines)


def test_list_scenarios_gives_their_descriptions_and_tags(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("stack: {}\n")
    output = cli("list", "scenarios", ".")
    assert output.code == 0
    first, second = output.stdout.splitlines()
    assert first.startswith("broken.yaml    invalid: ")
    assert second == "scenario.yaml  Redis is away for a while. [redis]"


def test_schemas_are_valid_and_the_scenario_fits_its_own(cli: Cli, tmp_path: Path) -> None:
    import yaml

    for what in ("scenario", "result", "events"):
        document = json.loads(cli("schema", what).stdout)
        jsonschema.Draft202012Validator.check_schema(document)
    scenario = yaml.safe_load((tmp_path / "scenario.yaml").read_text())
    jsonschema.validate(scenario, json.loads(cli("schema", "scenario").stdout))
    fields = json.loads(cli("schema", "result").stdout)["properties"]
    assert set(fields) == set(Result.model_fields)
