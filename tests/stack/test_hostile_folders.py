"""Ledgers and data of others on a real engine: nothing that no run made is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaoskit.record.lock import LOCK
from tests.stack.running import Chaoskit, chats, docker, fault, things_of_project

IMAGE = "chaoskit/lab:1"


@pytest.fixture
def victim() -> Iterator[str]:
    """A Compose project that no run made: a container, a network and a volume."""
    project = f"attackvictim{os.getpid()}"
    label = f"com.docker.compose.project={project}"
    docker("network", "create", "--label", label, f"{project}_net")
    docker("volume", "create", "--label", label, f"{project}_data")
    docker("run", "--detach", "--label", label, "--name", f"{project}-db-1", IMAGE, "sleep", "600")
    yield project
    docker("rm", "--force", "--volumes", f"{project}-db-1")
    docker("network", "rm", f"{project}_net")
    docker("volume", "rm", f"{project}_data")


def brought(runs: Path, name: str, project: str, *rows: object) -> Path:
    """Put a run folder there as a checkout would bring it."""
    folder = runs / name
    folder.mkdir(parents=True, mode=0o700)
    opening = {"t": 0.0, "step": "open", "version": 1, "run": name, "project": project}
    lines = [json.dumps(row) + "\n" for row in (opening, *rows)]
    (folder / "ledger.ndjson").write_text("".join(lines))
    (folder / LOCK).touch()
    return folder


def intent(id: str, kind: str, undo: object) -> dict[str, object]:
    return {"t": 0.1, "step": "intent", "id": id, "kind": kind, "undo": undo}


def command(chaoskit: Chaoskit, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(chaoskit.executable), *arguments, "--runs-dir", str(chaoskit.runs)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)


def test_hostile_ledgers_are_named_and_the_run_beside_them_passes(
    chaoskit: Chaoskit, victim: str
) -> None:
    mark = chaoskit.directory / "pwned"
    exec_undo: dict[str, object] = {
        "fault": "x", "service": None, "replicas": [], "verify": "false",
        "heal": f"id > {mark}", "timeout": 10.0, "directory": "/tmp",
    }  # fmt: skip
    foreign = brought(
        chaoskit.runs, "20261125T000001Z-evil-def456", victim,
        intent("stack", "stack", {"project": victim}),
    )  # fmt: skip
    helper = {
        "holder": "x", "service": "db", "whole": True, "replicas": [], "workers": 1,
        "helper": f"{victim}-db-1", "load": "cpu", "cpuset": "",
    }  # fmt: skip
    evil = [
        brought(chaoskit.runs, "20261125T000000Z-evil-abc123", "ck-evil-abc123",
                intent("x", "exec", exec_undo)),
        foreign,
        brought(chaoskit.runs, "20261125T000002Z-evil-aaaaaa", "ck-evil-aaaaaa",
                intent("x", "stress", helper)),
        brought(chaoskit.runs, "poison", "ck-attack-none", intent("f", "pause", {})),
    ]  # fmt: skip
    before = things_of_project(victim)
    run = chaoskit.run(chats(faults=[]))
    assert run.code == 0, run.output
    for folder in evil:
        assert f"`{folder}` is not trusted: no key of this user signed its ledger" in run.stderr
    every = command(chaoskit, "recover", "--all", "--allow-host-exec")
    assert every.returncode == 4, every.stdout + every.stderr
    named = command(chaoskit, "recover", foreign.name, "--allow-host-exec")
    assert named.returncode == 4
    assert f"the Compose project `{victim}` holds what run `{foreign.name}`" in named.stdout
    for folder in (evil[0], evil[2], evil[3]):
        left = command(chaoskit, "recover", folder.name, "--allow-host-exec")
        assert left.returncode in (0, 6), left.stdout + left.stderr
    assert things_of_project(victim) == before
    assert not mark.exists()


def test_the_guard_of_a_run_with_host_commands_heals_with_them(chaoskit: Chaoskit) -> None:
    mark = chaoskit.directory / "broken"
    commands = {
        "host": True, "inject": f"touch {mark}", "verify": f"test -e {mark}",
        "heal": f"rm -f {mark}",
    }  # fmt: skip
    going = chaoskit.start(
        chats(faults=[fault("exec", "0s", "30s", id="mine", **commands)]), "--allow-host-exec"
    )
    going.read_until("fault mine: exec")
    wait_for(mark.exists)
    folder = (going.runs / "latest").resolve()
    going.send(signal.SIGKILL)
    wait_for(lambda: not (folder / LOCK).exists())
    assert not mark.exists()
    assert "healed fault `mine` (exec)" in (folder / "guard.log").read_text()


def wait_for(condition: Callable[[], bool], within: float = 60) -> None:
    ends = time.monotonic() + within
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


COMPOSE = """
services:
  db:
    image: {image}
    command: ["sleep", "600"]
    volumes: [{mount}]
{more}
"""
SCENARIO = """
name: live
stack: {{ compose: compose.yaml, shared: ["{shared}"] }}
probes: {{ db: {{ probe: container, service: db }} }}
timeline: {{ gate: {{ for: 0s, within: 10s }}, baseline: 1s, faults: [], settle: 1s }}
expect: [{{ check: stays_up, service: db }}]
"""


@pytest.mark.parametrize("sort", ["folder", "volume"])
def test_data_that_somebody_s_running_container_can_write_is_not_shared(
    chaoskit: Chaoskit, sort: str
) -> None:
    volume = f"chaoskit-test-live-{os.getpid()}"
    data = chaoskit.directory / "pgdata"
    (data / "base").mkdir(parents=True)
    shared, mount, theirs, more = "./pgdata", "./pgdata:/data", f"{data / 'base'}:/data", ""
    if sort == "volume":
        docker("volume", "create", volume)
        shared, mount, theirs = "pg", "pg:/data", f"{volume}:/data"
        more = f"volumes: {{ pg: {{ external: true, name: {volume} }} }}"
    chaoskit.write(COMPOSE.format(image=IMAGE, mount=mount, more=more), "compose.yaml")
    scenario = chaoskit.write(SCENARIO.format(shared=shared))
    name = f"live-db-{os.getpid()}"
    try:
        docker("run", "--detach", "--name", name, "--volume", theirs, IMAGE, "sleep", "600")
        refused = chaoskit.run(scenario)
        assert refused.code == 4, refused.output
        assert f"`{shared}` is in use: container `{name}` can write it" in refused.stderr
        assert not chaoskit.runs.exists(), "nothing was started"
        docker("stop", "--time", "0", name)
        passed = chaoskit.run(scenario)
        assert passed.code == 0, passed.output
    finally:
        docker("rm", "--force", name)
        if sort == "volume":
            docker("volume", "rm", volume)
