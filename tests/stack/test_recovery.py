"""Whatever kills chaoskit: its guard, the next run or `chaoskit recover` leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaoskit.judge.result import Result
from chaoskit.record.lock import LOCK, live_owner
from chaoskit.records import Verdict
from chaoskit.recovery.ledger import read_ledger
from tests.stack.kill_soak import Round, bystanders, guards_of, kill, rounds, row, torture
from tests.stack.running import Chaoskit, Going, Scenario, chats, docker, fault, things_of_project


def slow(**changes: object) -> Scenario:
    return chats(
        faults=[
            fault("latency", "0s", "30s", edge="chat-1 -> redis", delay="100ms", id="slow"),
            fault("pause", "100ms", "30s", service="chat-2", id="frozen"),
        ],
        timeline={"settle": "2s"},
        **changes,
    )


def wait_for(what: str, condition: Callable[[], bool], within: float = 60) -> None:
    ends = time.monotonic() + within
    while not condition():
        assert time.monotonic() < ends, f"not within {within} s: {what}"
        time.sleep(0.05)


def folder_of(going: Going) -> Path:
    return (going.runs / "latest").resolve()


def result_of(folder: Path) -> Result:
    return Result.model_validate_json((folder / "result.json").read_text())


def command(chaoskit: Chaoskit, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(chaoskit.executable), *arguments, "--runs-dir", str(chaoskit.runs)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)


def killed_with_its_guard(chaoskit: Chaoskit, scenario: Scenario | None = None) -> Path:
    """Kill a run and its guard while two faults are in force; return its folder."""
    going = chaoskit.start(scenario or slow())
    going.read_until("fault frozen: pause")
    folder = folder_of(going)
    wait_for("it is in force", lambda: in_force(folder, "frozen"))
    going.send(signal.SIGSTOP)  # or it would start another guard
    (guard,) = guards_of(folder)
    kill(guard, signal.SIGKILL)
    going.send(signal.SIGKILL)
    going.process.wait()
    assert live_owner(folder) is None
    return folder


def in_force(folder: Path, id: str) -> bool:
    rows = (folder / "events.ndjson").read_text().splitlines()
    return any(row["event"] == "fault_receipt" and row["id"] == id for row in map(json.loads, rows))


def test_the_guard_heals_removes_and_finishes_the_folder_of_a_killed_run(
    chaoskit: Chaoskit,
) -> None:
    going = chaoskit.start(slow())
    going.read_until("fault frozen: pause")
    folder = folder_of(going)
    going.send(signal.SIGKILL)
    wait_for("the guard is through", lambda: not (folder / LOCK).exists())
    result = result_of(folder)
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason is not None
    assert result.reason.startswith("chaoskit was killed in the faults phase; the guard healed")
    assert [f.id for f in result.faults if f.healed_at is not None] == ["slow", "frozen"]
    assert result.leftovers == []
    assert all(entry.healed for entry in read_ledger(folder / "ledger.ndjson"))
    assert "healed fault `frozen` (pause)" in (folder / "guard.log").read_text()
    assert (folder / "junit.xml").exists()
    assert "UNKNOWN" in (folder / "report.html").read_text()
    assert (folder / "logs" / "chat-1.log").exists()
    shown = command(chaoskit, "report", "latest")
    assert shown.returncode == 0, shown.stderr
    assert "chaoskit was killed in the faults phase" in " ".join(shown.stdout.split())
    assert not guards_of(folder)


def test_a_killed_run_keeps_the_proofs_of_the_faults_that_were_over(chaoskit: Chaoskit) -> None:
    scenario = chats(
        faults=[
            fault("latency", "0s", "1s", edge="chat-1 -> redis", delay="100ms", id="first"),
            fault("pause", "2s", "30s", service="chat-2", id="frozen"),
        ]
    )
    going = chaoskit.start(scenario)
    going.read_until("fault frozen: pause")
    folder = folder_of(going)
    wait_for("it is in force", lambda: in_force(folder, "frozen"))
    going.send(signal.SIGKILL)
    wait_for("the guard is through", lambda: not (folder / LOCK).exists())
    first, frozen = result_of(folder).faults
    assert (first.proven, first.reason) == (True, None)
    assert "through chat-1 -> redis:6379" in first.evidence[0]
    assert (frozen.proven, frozen.reason) == (False, "the run ended before it was proven")
    again = command(chaoskit, "check", "latest")
    assert again.returncode == 3, again.stderr
    assert "1 of 2 faults proven" in again.stdout


def test_the_guard_heals_a_fault_when_its_lease_is_over_and_the_run_is_stuck(
    chaoskit: Chaoskit,
) -> None:
    scenario = chats(
        faults=[fault("pause", "0s", "1s", service="chat-2", id="frozen")],
        timeline={"settle": "2s"},
    )
    going = chaoskit.start(scenario)
    going.read_until("fault frozen: pause")
    folder = folder_of(going)
    wait_for("it is in force", lambda: in_force(folder, "frozen"))
    time.sleep(0.1)  # the lease is told right after that
    going.send(signal.SIGSTOP)
    wait_for(
        "the guard healed it",
        lambda: any(e.id == "frozen" and e.healed for e in read_ledger(folder / "ledger.ndjson")),
    )
    name = next(n for n in containers_of(folder) if "chat-2" in n)
    assert docker("inspect", "--format", "{{.State.Status}}", name).strip() == "running"
    going.send(signal.SIGCONT)
    run = going.finish()
    assert run.code == 3, run.output
    said = "the run was stuck when the lease of fault `frozen` ended, so its guard healed it"
    assert run.result.reason == said
    healed_at = run.fault("frozen").healed_at
    injected_at = run.fault("frozen").injected_at
    assert healed_at is not None
    assert injected_at is not None
    assert 1 <= healed_at - injected_at < 20


def containers_of(folder: Path) -> list[str]:
    project = json.loads((folder / "ledger.ndjson").read_text().splitlines()[0])["project"]
    return [thing.removeprefix("container ") for thing in things_of_project(project)]


def test_a_guard_that_was_killed_is_started_again(chaoskit: Chaoskit) -> None:
    scenario = slow()
    scenario["timeline"]["faults"][1]["at"] = "2s"
    going = chaoskit.start(scenario)
    going.read_until("fault slow: latency")
    folder = folder_of(going)
    (guard,) = guards_of(folder)
    kill(guard, signal.SIGKILL)
    going.read_until("fault frozen: pause")
    wait_for("there is a guard again", lambda: bool(guards_of(folder)), 5)
    going.send(signal.SIGKILL)
    wait_for("the guard is through", lambda: not (folder / LOCK).exists())
    assert all(entry.healed for entry in read_ledger(folder / "ledger.ndjson"))


def test_recover_says_what_it_would_do_and_then_does_it_once(chaoskit: Chaoskit) -> None:
    folder = killed_with_its_guard(chaoskit)
    lines = (folder / "ledger.ndjson").read_text()
    (folder / "ledger.ndjson").write_text(lines + '{"t":9.1,"step":"int')  # torn by the kill
    doctor = subprocess.run(
        [str(chaoskit.executable), "doctor"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert f"{folder.name} was killed" in doctor.stdout
    assert f"chaoskit recover {folder}" in doctor.stdout
    would = command(chaoskit, "recover", "--all", "--dry-run")
    assert would.returncode == 0, would.stderr
    assert f"{folder}:\n  would heal fault `frozen` (pause)\n" in would.stdout
    own = would.stdout.partition(f"{folder}:\n")[2].splitlines()
    assert own[1] == "  would heal fault `slow` (latency)"
    assert own[2].startswith("  would remove the stack `ck-chats-")
    assert containers_of(folder)
    done = command(chaoskit, "recover", folder.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "healed fault `frozen` (pause)" in done.stdout
    assert "removed the stack `ck-chats-" in done.stdout
    assert containers_of(folder) == []
    assert result_of(folder).verdict is Verdict.UNKNOWN
    again = command(chaoskit, "recover", "latest")
    assert (again.returncode, again.stdout.endswith("nothing was left to undo\n")) == (0, True)
    assert not_abandoned(chaoskit, folder)


def not_abandoned(chaoskit: Chaoskit, folder: Path) -> bool:
    """Whether `recover --all` would leave a run alone; other tests may have abandoned theirs."""
    would = command(chaoskit, "recover", "--all", "--dry-run")
    assert would.returncode == 0, would.stderr
    return str(folder) not in would.stdout


def test_a_stack_whose_run_folder_is_gone_is_named_with_its_command(chaoskit: Chaoskit) -> None:
    folder = killed_with_its_guard(chaoskit)
    project = json.loads((folder / "ledger.ndjson").read_text().splitlines()[0])["project"]
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    done = command(chaoskit, "recover", "--all", "--dry-run")
    assert str(folder) in done.stdout
    assert f"    remove it with: docker compose -p {project} down --volumes" in done.stderr
    doctor = subprocess.run(
        [str(chaoskit.executable), "doctor"], capture_output=True, text=True, check=False
    )
    assert f"docker compose -p {project} down --volumes" in doctor.stdout
    elsewhere.rename(folder)
    assert command(chaoskit, "recover", folder.name).returncode == 0


def test_the_next_run_recovers_what_was_left_and_says_so(chaoskit: Chaoskit) -> None:
    folder = killed_with_its_guard(chaoskit)
    run = chaoskit.run(chats(name="next"))
    assert run.code == 0, run.output
    assert "recovering a run that was killed:" in run.stderr
    assert "healed fault `slow` (latency)" in run.stderr
    assert containers_of(folder) == []
    assert not (folder / LOCK).exists()


def test_every_undo_works_on_replaced_containers(chaoskit: Chaoskit) -> None:
    folder = killed_with_its_guard(chaoskit)
    project = json.loads((folder / "ledger.ndjson").read_text().splitlines()[0])["project"]
    scenario = json.loads((folder / "plan.json").read_text())
    docker("unpause", f"{project}-chat-2-1")
    docker(
        *("compose", "--project-name", project),
        *(word for file in scenario["compose"] for word in ("--file", file)),
        *("--file", str(folder / "overlay.yaml"), "up", "--detach", "--force-recreate"),
    )
    done = command(chaoskit, "recover", folder.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gone with the stack" not in done.stdout, "each heal found the new containers"


def test_a_run_that_goes_on_is_not_recovered(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(chats(timeline={"baseline": "4s"}))
    going.read_until("phase baseline")
    refused = command(chaoskit, "recover", "latest")
    assert refused.returncode == 2, refused.stdout
    assert f"goes on: process {going.process.pid} owns it" in refused.stdout
    assert not_abandoned(chaoskit, folder_of(going))
    assert going.finish().code == 0


def test_a_kept_stack_stays_until_it_is_named(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(chats(), "--keep")
    assert run.code == 0, run.output
    assert f"chaoskit recover {run.path}" in " ".join(run.output.split()).replace("/ ", "/")
    assert not_abandoned(chaoskit, run.path)
    assert things_of_project(run.project)
    done = command(chaoskit, "recover", "latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert things_of_project(run.project) == []
    assert run.result.verdict is Verdict.PASS, "the verdict of a finished run stays"


def test_a_third_signal_leaves_the_rest_to_the_guard(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(slow())
    going.read_until("fault frozen: pause")
    folder = folder_of(going)
    for _ in range(3):
        going.send(signal.SIGINT)
        time.sleep(0.1)
    assert going.process.wait(timeout=30) == 130
    wait_for("the guard is through", lambda: not (folder / LOCK).exists())
    assert containers_of(folder) == []


@pytest.mark.parametrize("seed", [20261121])
def test_nothing_is_left_whatever_kills_it_and_whenever(tmp_path: Path, seed: int) -> None:
    planned = rounds(6, seed)
    with bystanders(f"bystander-{seed}") as changed, ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda one: torture(quick(one), tmp_path), planned))
    assert [row(outcome) for outcome in outcomes if outcome.problems] == []
    assert changed == []


def quick(one: Round) -> Round:
    """Return a kill that comes while something goes on: after the run there is nothing to see."""
    return Round(one.number, one.scenario, min(one.moment, 13.0), one.way, one.seed)
