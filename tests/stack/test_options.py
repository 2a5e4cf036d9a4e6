"""The options of `chaoskit run`, and where its output goes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import jsonschema
import junitparser
import pytest

from chaoskit.record.schema import events_schema
from tests.stack.running import (
    Chaoskit,
    Run,
    Scenario,
    available,
    chats,
    docker,
    fault,
    remove_project,
)

ADDS = {
    "workload": "set",
    "rate": "20/s",
    "clients": 2,
    "add": {"redis": "SADD members {value}", "store": "redis://redis:6379/0"},
    "read": {"redis": "SMEMBERS members", "store": "redis://redis:6379/0"},
}


def test_a_seed_repeats_the_values_and_one_fault_can_be_picked(chaoskit: Chaoskit) -> None:
    scenario = chats(
        faults=[
            fault("kill", service="redis", id="first"),
            fault("refuse", "500ms", edge="chat-1 -> redis", id="second"),
        ]
    )
    scenario["workloads"] = {"members": ADDS}
    options = [
        "--only-fault", "second", "--seed", "4711",
        "--report", "junit=out/junit.xml", "--report", "summary=out/summary.md",
        "--events", "events.out",
    ]  # fmt: skip
    first = chaoskit.run(scenario, *options)
    assert first.code == 0, first.output
    assert "--seed 4711" in first.stdout
    assert [fault.id for fault in first.result.faults] == ["second"]
    assert first.result.run.seed == 4711
    out = chaoskit.directory / "out"
    assert junitparser.JUnitXml.fromfile(str(out / "junit.xml")).tests == 2
    assert "chats" in (out / "summary.md").read_text()
    streamed = (chaoskit.directory / "events.out").read_text()
    assert streamed == (first.path / "events.ndjson").read_text() or [
        json.loads(line) for line in streamed.splitlines()
    ] == first.rows("events.ndjson")
    validator = jsonschema.Draft202012Validator(events_schema())
    rows = [json.loads(line) for line in streamed.splitlines()]
    assert [row for row in rows if not validator.is_valid(row)] == []
    assert {row["event"] for row in rows} >= {"run_started", "fault_rechecked", "run_ended"}
    again = chaoskit.run(scenario, *options)
    other = chaoskit.run(scenario, "--only-fault", "second", "--seed", "4712")
    assert values(again)[:10] == values(first)[:10]
    assert values(other)[:10] != values(first)[:10]


def values(run: Run) -> list[int]:
    """Return what was added, in the order of the invocations."""
    return [
        row["value"]
        for row in run.rows("history.ndjson")
        if row["op"] == "add" and row["type"] == "invoke"
    ]


def test_keep_leaves_the_stack_up_and_healed_and_says_how_to_remove_it(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(
        chats(
            faults=[
                fault("latency", "0s", None, edge="chat-1 -> redis", delay="400ms"),
                fault("kill", "0s", None, service="chat-2"),
            ],
            timeline={"settle": "2s"},
            expect=[{"check": "recovery", "probe": "two", "within": "10s"}],
        ),
        "--keep",
    )
    project = run.project
    chaoskit.kept.add(project)
    try:
        assert run.code == 0, run.output
        wanted = f"label=com.docker.compose.project={project}"
        rows = docker("ps", "--filter", wanted, "--format", "{{.Names}}").split()
        assert {f"{project}-{name}-1" for name in ("chat-1", "chat-2", "redis")} <= set(rows)
        assert not [row for row in rows if "meter" in row]
        toxics = docker(
            "exec", f"{project}-chaoskit-chat-1-1", "/toxiproxy-cli", "inspect", "redis_6379"
        )
        assert "latency" not in toxics
        assert f"chaoskit recover {run.path}" in "".join(run.output.split("\n"))
    finally:
        remove_project(project)


FAILING = chats(name="failing", faults=[fault("kill", service="redis")], expect=[available("one")])


@pytest.mark.parametrize(
    ("scenario", "options", "code"),
    [(chats(), [], 0), (FAILING, ["--json"], 1), (FAILING, ["--events", "-"], 1)],
    ids=["report", "json", "events"],
)
def test_a_reader_that_goes_away_does_not_change_the_verdict(
    chaoskit: Chaoskit, scenario: Scenario, options: list[str], code: int
) -> None:
    reader, writer = os.pipe()
    going = chaoskit.start(scenario, *options, stdout=writer)
    os.close(writer)
    os.close(reader)
    run = going.finish()
    assert run.code == code, run.stderr
    assert "Traceback" not in run.stderr
    assert "BrokenPipe" not in run.stderr
    assert run.result.exit_code == code


def on_a_terminal(chaoskit: Chaoskit, path: Path, **env: str) -> str:
    """Run a scenario on a terminal and return everything it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [chaoskit.executable, "run", path, "--runs-dir", chaoskit.runs],
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"} | env,
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    chaoskit.started.append(process)
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65536):
            text += chunk
    except OSError:  # EIO: the last writer has closed it
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 0, text.decode()
    return text.decode()


COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")


def test_colours_and_escape_codes_are_only_for_terminals_that_want_them(
    chaoskit: Chaoskit,
) -> None:
    path = chaoskit.write(chats())
    coloured = on_a_terminal(chaoskit, path, TERM="xterm-256color")
    assert COLOUR.search(coloured)
    assert not COLOUR.search(on_a_terminal(chaoskit, path, TERM="xterm-256color", NO_COLOR="1"))
    assert "\x1b" not in on_a_terminal(chaoskit, path, TERM="dumb")
    run = chaoskit.run(path, env={"TERM": "xterm-256color"})
    assert "\x1b" not in run.output


@pytest.mark.parametrize("image", ["", "image: chaoskit-slow-build:1\n            "])
def test_a_build_is_said_and_is_no_part_of_coming_up(chaoskit: Chaoskit, image: str) -> None:
    chaoskit.write(f"FROM chaoskit/lab:1\nRUN sleep 7 # {os.urandom(8).hex()}\n", "app/Dockerfile")
    compose = chaoskit.write(
        f"""
        services:
          app:
            {image}build: app
            command: [python3, -m, http.server, "8000"]
            expose: ["8000"]
            init: true
        """,
        "compose.yaml",
    )
    run = chaoskit.run(
        chats(
            stack={"compose": str(compose), "up_timeout": "6s", "build": True},
            probes={"app": {"probe": "http", "url": "http://app:8000/", "every": "100ms"}},
            expect=[available("app")],
        )
    )
    assert run.code == 0, run.output
    assert "building `app`" in run.stderr
    assert "built `app` in" in run.stderr
    if image:
        docker("image", "rm", "chaoskit-slow-build:1")
