"""Ctrl-C, SIGTERM and a closed terminal, at every moment: healed, removed, reported."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from chaoskit.records import Verdict
from chaoskit.recovery.ledger import read_ledger
from tests.stack.running import Chaoskit, Scenario, chats, fault

# What the command prints when it gets there; long phases, so that the signal falls into them.
MOMENTS = [
    ("starting proxies", "up", signal.SIGINT),
    ("starting services", "up", signal.SIGTERM),
    ("phase gate", "gate", signal.SIGHUP),
    ("phase baseline", "baseline", signal.SIGTERM),
    ("fault slow: latency", "faults", signal.SIGINT),
    ("fault kill: kill", "faults", signal.SIGHUP),
    ("phase settle", "settle", signal.SIGINT),
]


def slow() -> Scenario:
    return chats(
        faults=[
            fault("latency", "0s", "30s", edge="chat-1 -> redis", delay="100ms", id="slow"),
            fault("pause", "200ms", None, service="chat-2", id="frozen"),
            fault("kill", "400ms", "2s", service="redis"),
        ],
        timeline={"gate": {"for": "2s", "within": "60s"}, "baseline": "3s", "settle": "20s"},
    )


@pytest.mark.parametrize(("line", "phase", "sign"), MOMENTS, ids=[m[0] for m in MOMENTS])
def test_a_signal_is_answered_at_once_and_everything_is_healed_and_removed(
    chaoskit: Chaoskit, line: str, phase: str, sign: signal.Signals
) -> None:
    scenario = slow()
    if phase == "settle":
        scenario["timeline"]["faults"] = [fault("kill", service="redis")]
    going = chaoskit.start(scenario)
    going.read_until(line)
    sent = time.monotonic()
    going.send(sign)
    going.read_until(f"chaoskit: {sign.name}", within=5)
    assert time.monotonic() - sent < 1
    run = going.finish(within=60)
    assert run.code == 128 + sign, run.output
    assert run.result.verdict is Verdict.UNKNOWN
    assert run.result.exit_code == run.code
    assert run.result.reason == f"the run was interrupted by {sign.name} in the {phase} phase"
    assert run.result.leftovers == []
    assert run.result.reason in (run.path / "report.html").read_text()
    assert all(entry.healed for entry in read_ledger(run.path / "ledger.ndjson"))
    assert "Traceback" not in run.output
    assert "interrupted" in run.stdout


@pytest.mark.parametrize("line", ["starting services", "fault kill: kill"])
def test_a_second_signal_skips_the_logs_and_still_heals_and_removes(
    chaoskit: Chaoskit, line: str
) -> None:
    going = chaoskit.start(slow())
    going.read_until(line)
    going.send(signal.SIGINT)
    going.read_until("SIGINT", within=5)
    going.send(signal.SIGINT)
    run = going.finish(within=60)
    assert run.code == 130, run.output
    assert "in a hurry" in run.stderr
    assert run.result.verdict is Verdict.UNKNOWN
    assert all(entry.healed for entry in read_ledger(run.path / "ledger.ndjson"))


def test_a_signal_during_the_teardown_does_not_stop_it(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(chats(), "--json")
    going.read_until("phase down")
    going.send(signal.SIGINT)
    going.send(signal.SIGTERM)
    run = going.finish(within=60)
    # It was over and judged; either code is honest, but nothing may be half-done.
    assert run.code in (0, 130, 143), run.output
    assert run.result.leftovers == []
    assert json.loads(run.stdout)["verdict"] == run.result.verdict


def test_a_closed_terminal_stops_the_output_and_not_the_healing(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(slow())
    going.read_until("fault kill: kill")
    for stream in (going.process.stdout, going.process.stderr):
        assert stream is not None
        stream.close()
    going.send(signal.SIGHUP)
    assert going.process.wait(timeout=60) == 129
    folder = (chaoskit.runs / "latest").resolve()
    result = json.loads((folder / "result.json").read_text())
    assert (result["verdict"], result["exit_code"]) == ("unknown", 129)
    assert all(entry.healed for entry in read_ledger(folder / "ledger.ndjson"))


def test_a_signal_before_anything_is_started_ends_it_without_a_run_folder(
    chaoskit: Chaoskit,
) -> None:
    # A `docker` that hangs holds the command in its preparation for as long as it takes.
    started = chaoskit.directory / "started"
    program = chaoskit.write(f"#!/bin/sh\ntouch {started}\nexec sleep 60\n", "bin/docker")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    going = chaoskit.start(
        chats(), env={"PATH": path, "DOCKER_HOST": "unix:///var/run/docker.sock"}
    )
    while not started.exists():
        assert going.process.poll() is None
        time.sleep(0.02)
    going.send(signal.SIGINT)
    run = going.finish(within=30)
    assert run.code == 130, run.output
    assert "Traceback" not in run.output
    assert run.folder is None
