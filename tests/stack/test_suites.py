"""Suites on real containers: side by side, cut off at any moment, on stacks that they share."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from chaoskit.record.lock import unfinished
from chaoskit.records import Verdict
from chaoskit.recovery.ledger import read_ledger
from tests.compose_project import docker
from tests.stack.kill_soak import guards_of, kill
from tests.stack.running import (
    Chaoskit,
    Going,
    Scenario,
    available,
    chats,
    fault,
    project_of,
    things_of_project,
)
from tests.stack.test_recovery import command, result_of, wait_for


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


# -- warm stacks ---------------------------------------------------------------------------------


def quick(name: str, fresh: str, **made: Any) -> Scenario:
    return chats(
        name=name,
        faults=[made or fault("pause", "0s", "1s", service="redis")],
        stack={"fresh": fresh},
        timeline={"baseline": "500ms", "settle": "500ms"},
        expect=[available("two", "10%")],
    )


def test_a_clean_stack_is_shared_and_a_dirty_one_never_disturbs_the_next(
    chaoskit: Chaoskit,
) -> None:
    suite = suite_of(
        chaoskit,
        quick("a", "never"),
        quick("b", "never"),
        quick("c", "data"),
        quick("d", "never", fault="restart", at="0s", service="redis"),  # leaves another start
        quick("e", "never", **fault("pause", "0s", "2s", service="chat-1", id="by-hand")),
        quick("f", "always"),
    )
    going = chaoskit.start(suite)
    going.read_until("fault by-hand: pause")
    redis = f"{project_of(folders(chaoskit)[-1])}-redis-1"
    docker("exec", redis, "redis-cli", "config", "set", "maxmemory", "64mb")
    run = going.finish()
    assert run.code == 0, run.output
    runs = {result_of(folder).run.scenario: folder for folder in folders(chaoskit)}
    projects = {name: project_of(folder) for name, folder in runs.items()}
    assert projects["a"] == projects["b"] == projects["c"] == projects["d"]
    assert len({projects["d"], projects["e"], projects["f"]}) == 3
    notes = {name: result_of(folder).notes for name, folder in runs.items()}
    went_on = f"it went on with the stack of run `{runs['a'].name}`"
    assert [name for name in runs if went_on in notes[name]] == ["b", "d"]
    assert f"{went_on}, with new services" in notes["c"]
    for name, changed in (("d", "start of redis[1]"), ("e", "maxmemory of redis[1]")):
        (why,) = (note for note in notes[name] if note.startswith("its stack is removed"))
        assert why.endswith(f"changed: {changed}")
    phases = {name: [p.name for p in result_of(folder).phases] for name, folder in runs.items()}
    assert [name for name in runs if "down" in phases[name]] == ["d", "e", "f"]
    for folder in runs.values():
        assert result_of(folder).stack.deaths == []
        assert nothing_open(folder)
    for name, folder in runs.items():  # no line of a log is older than its run
        assert all(row["t"] >= 0 for row in events(folder)), name


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.ndjson").read_text().splitlines()]


def test_recover_finds_a_stack_that_a_killed_suite_kept_and_lent(chaoskit: Chaoskit) -> None:
    last = quick("b", "never", **fault("pause", "0s", "30s", service="redis", id="frozen"))
    going = chaoskit.start(suite_of(chaoskit, quick("a", "never"), last))
    going.read_until("fault frozen: pause")
    maker, borrower = folders(chaoskit)
    wait_for("it is in force", lambda: open_fault(borrower))
    assert project_of(maker) == project_of(borrower)
    assert result_of(maker).verdict is Verdict.PASS
    going.send(signal.SIGSTOP)  # or it would start other guards
    for folder in (maker, borrower):
        (guard,) = guards_of(folder)
        kill(guard, signal.SIGKILL)
    going.send(signal.SIGKILL)
    going.process.wait()
    assert things_of_project(project_of(maker))
    assert unfinished(chaoskit.runs) == [maker, borrower]
    for folder in (maker, borrower):  # not `--all`, which sees what others run here now
        done = command(chaoskit, "recover", str(folder))
        assert done.returncode == 0, done.stdout + done.stderr
    assert things_of_project(project_of(maker)) == []
    assert nothing_open(maker)
    assert nothing_open(borrower)
    assert result_of(maker).verdict is Verdict.PASS
    assert result_of(borrower).verdict is Verdict.UNKNOWN


# -- quiet periods -------------------------------------------------------------------------------


def test_quiet_periods_measure_recovery_several_times_in_one_run(chaoskit: Chaoskit) -> None:
    scenario = chats(
        faults=[
            fault("pause", "0s", "10s", service="redis", id="frozen"),
            fault("pause", "1s", "9s", service="chat-1", id="still"),
        ],
        timeline={"quiet": {"every": "4s", "for": "2s"}, "settle": "3s"},
        expect=[{"check": "recovery", "probe": "two", "within": "2s"}],
    )
    run = chaoskit.run(scenario)
    assert run.code == 0, run.output
    found = {one.id: one for one in run.result.faults}
    assert list(found) == ["frozen", "frozen.2", "still", "still.2"]
    assert all(one.proven for one in found.values())
    for first, second in (("frozen", "frozen.2"), ("still", "still.2")):
        healed, again = found[first].healed_at, found[second].injected_at
        assert healed is not None
        assert again is not None
        assert again > healed  # a late heal shortens the period
    assert all(found[name].time_to_recover is not None for name in ("frozen", "frozen.2"))
