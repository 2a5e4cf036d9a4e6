"""Suites on real containers: side by side, cut off at any moment, on stacks that they share."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from chaoskit.records import Verdict
from chaoskit.recovery.ledger import read_ledger
from tests.stack.running import (
    Chaoskit,
    Going,
    Scenario,
    chats,
    fault,
    project_of,
    things_of_project,
)
from tests.stack.test_recovery import result_of, wait_for


def suite_of(chaoskit: Chaoskit, *scenarios: Scenario) -> Path:
    """Write scenarios into a folder and return it."""
    for one in scenarios:
        chaoskit.write(one, f"suite/{one['name']}.yaml")
    return chaoskit.directory / "suite"


def long(name: str) -> Scenario:
    return chats(name=name, faults=[fault("pause", "0s", "30s", service="chat-1", id="frozen")])


def two_in_force(chaoskit: Chaoskit) -> tuple[Going, list[Path]]:
    """Start a suite of three, two at once, and return when both have their fault in force."""
    suite = suite_of(chaoskit, long("a"), long("b"), long("c"))
    going = chaoskit.start(suite, "--parallel", "2")
    for name in ("a", "b"):
        going.read_until(f"{name}:  ")
    wait_for(
        "both faults are in force",
        lambda: len([f for f in folders(chaoskit) if open_fault(f)]) == 2,
    )
    return going, folders(chaoskit)


def folders(chaoskit: Chaoskit) -> list[Path]:
    return sorted(path.parent for path in chaoskit.runs.glob("2*/ledger.ndjson"))


def open_fault(folder: Path) -> bool:
    return any(
        e.id == "frozen" and e.done and e.open for e in read_ledger(folder / "ledger.ndjson")
    )


def nothing_open(folder: Path) -> bool:
    return all(entry.healed for entry in read_ledger(folder / "ledger.ndjson"))


def test_one_signal_heals_and_removes_every_scenario_that_runs(chaoskit: Chaoskit) -> None:
    going, both = two_in_force(chaoskit)
    sent = time.monotonic()
    going.send(signal.SIGINT)
    going.read_until("chaoskit: SIGINT", within=5)
    assert time.monotonic() - sent < 1
    run = going.finish(within=60)
    assert run.code == 130, run.output
    assert run.stderr.count("chaoskit: SIGINT") == 1
    assert "not started any more: `c`\n" in run.stderr
    assert folders(chaoskit) == both
    for folder in both:
        result = result_of(folder)
        assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 130)
        assert nothing_open(folder)
    assert "total: 0 passed, 0 failed, 2 unknown of 2" in run.stdout


def test_a_suite_that_is_killed_leaves_nothing_of_any_of_its_scenarios(chaoskit: Chaoskit) -> None:
    going, both = two_in_force(chaoskit)
    going.send(signal.SIGKILL)
    going.process.wait()
    for folder in both:
        wait_for("its scenario is over", lambda folder=folder: (folder / "junit.xml").exists())  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert result_of(folder).verdict is Verdict.UNKNOWN
        assert nothing_open(folder)
        assert things_of_project(project_of(folder)) == []
    assert folders(chaoskit) == both
