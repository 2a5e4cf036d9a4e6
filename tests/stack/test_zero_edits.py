"""The user's project is used as it is, and each client has a path of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.stack.running import (
    TWO_CHATS,
    Chaoskit,
    available,
    chats,
    docker,
    fault,
    remove_project,
    things_of,
)


def fingerprint(folder: Path) -> Mapping[str, tuple[str, int, int]]:
    """Return content, mode and time of change of every file of a folder."""
    return {
        str(file.relative_to(folder)): (
            hashlib.sha256(file.read_bytes()).hexdigest(),
            file.stat().st_mode,
            file.stat().st_mtime_ns,
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_a_cut_path_with_its_host_in_the_code_hits_one_client_and_spares_the_other(
    chaoskit: Chaoskit,
) -> None:
    folder = chaoskit.directory / "project"
    shutil.copytree(TWO_CHATS.parent, folder)
    before = fingerprint(folder)
    run = chaoskit.run(
        chats(
            stack={"compose": "project/compose.yaml"},
            faults=[
                fault("blackhole", "0s", "2s", edge="chat-1 -> redis", id="one"),
                # An edge that only the container's own name leads along.
                fault("refuse", "4s", edge="chat-2 -> redis", id="two"),
            ],
            expect=[
                available("two") | {"during": {"fault": "one"}},
                available("one") | {"during": {"fault": "two"}},
                available("one", "0%") | {"during": {"fault": "one"}},
                {"check": "detection", "probe": "one", "within": "5s", "fault": "one"},
                {"check": "detection", "probe": "two", "within": "5s", "fault": "two"},
            ],
        )
    )
    assert run.code == 0, run.output
    assert fingerprint(folder) == before
    for id in ("one", "two"):
        own = run.during(id, id)
        assert own, id
        assert all(sample["outcome"] == "fail" for sample in own), id
    edges = {(e.client, e.upstream): e for e in run.result.stack.edges}
    assert edges["chat-1", "redis"].evidence is None, "nothing in the project points that way"
    assert edges["chat-1", "redis"].connections
    assert not edges["redis", "chat-1"].proxied


def test_no_proxy_is_made_where_no_fault_needs_one(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        chats(stack={"proxy": "none"}, faults=[fault("kill", service="redis")])
        | {"expect": [{"check": "recovery", "probe": "two", "within": "10s"}]}
    )
    assert run.code == 0, run.output
    overlay = (run.path / "overlay.yaml").read_text()
    assert "chaoskit-host:" in overlay
    assert "chaoskit-chat" not in overlay
    assert not any(edge.proxied for edge in run.result.stack.edges)


def test_chaoskits_own_path_can_be_cut_too_and_published_ports_can_be_kept(
    chaoskit: Chaoskit,
) -> None:
    override = chaoskit.write(
        "services: {chat-1: {ports: !override ['127.0.0.1:18474:8000']}}", "override.yaml"
    )
    going = chaoskit.start(
        chats(
            stack={"compose": [str(TWO_CHATS), str(override)], "ports": "keep"},
            faults=[fault("refuse", edge="host -> chat-1")],
            expect=[
                available("two"),
                {"check": "detection", "probe": "one", "within": "5s"},
                {"check": "recovery", "probe": "one", "within": "5s"},
            ],
        )
    )
    going.read_until("phase baseline")
    ports = docker("ps", "--filter", "publish=18474", "--format", "{{.Names}}")
    assert "chat-1" in ports
    run = going.finish()
    assert run.code == 0, run.output
    assert run.fault("refuse").target == "host -> chat-1"
    assert run.fault("refuse").proven


@pytest.fixture
def by_hand() -> Iterator[Mapping[str, str]]:
    """The same stack, brought up by hand; gives the start time of each container by its id."""
    project = "two-chats"
    remove_project(project)
    compose = ["compose", "--file", str(TWO_CHATS)]
    try:
        docker(*compose, "up", "--detach", "--wait", "--wait-timeout", "60", within=90)
        yield state_of(project)
    finally:
        remove_project(project)


def state_of(project: str) -> dict[str, str]:
    ids = docker(
        "ps", "-aq", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}"
    )
    rows = json.loads(docker("inspect", *ids.split()))
    return {
        row["Id"]: f"{row['Name']} {row['State']['Status']} {row['State']['StartedAt']}"
        for row in rows
    }


def test_two_runs_at_once_disturb_neither_each_other_nor_the_stack_that_is_up_by_hand(
    chaoskit: Chaoskit, by_hand: Mapping[str, str]
) -> None:
    path = chaoskit.write(
        chats(
            faults=[
                fault("kill", service="redis"),
                fault("blackhole", "8s", "2s", edge="chat-1 -> redis"),
            ],
            timeline={"settle": "2s"},
            expect=[
                {"check": "recovery", "probe": "one", "within": "10s"},
                {"check": "recovery", "probe": "two", "within": "10s"},
                available("two") | {"during": {"fault": "blackhole"}},
            ],
        )
    )
    going = [chaoskit.start(path, runs=chaoskit.runs / name) for name in ("a", "b")]
    finished = [one.finish() for one in going]
    for run in finished:
        assert run.code == 0, run.output
        assert {fault.proven for fault in run.result.faults} == {True}
    assert len({run.project for run in finished}) == 2
    assert state_of("two-chats") == by_hand


SHARING = """
services:
  cache:
    image: chaoskit/lab:1
    command: [redis-server, --bind, "*", --protected-mode, "no", --save, ""]
    expose: ["6379"]
    volumes: ["./data:/data", "EXTERNAL:/outside"]
    stop_grace_period: 1s
volumes:
  EXTERNAL: { external: true }
"""


def test_what_cannot_be_copied_is_refused_by_name_until_it_is_allowed(chaoskit: Chaoskit) -> None:
    volume = f"chaoskit-test-{chaoskit.directory.name.lower()}"
    (chaoskit.directory / "data").mkdir()
    compose = chaoskit.write(SHARING.replace("EXTERNAL", volume), "compose.yaml")
    scenario = chats(
        stack={"compose": compose.name},
        probes={"cache": {"probe": "tcp", "url": "tcp://cache:6379", "every": "100ms"}},
        expect=[available("cache")],
    )
    refused = chaoskit.run(scenario)
    assert refused.code == 2
    assert refused.folder is None
    assert "`./data` (writable bind mount of `cache`)" in refused.stderr
    assert f"`{volume}` (external volume)" in refused.stderr
    assert f"[{volume}, ./data]" in refused.stderr
    one = scenario | {"stack": scenario["stack"] | {"shared": ["./data"]}}
    refused = chaoskit.run(one)
    assert refused.code == 2
    assert "bind mount" not in refused.stderr
    docker("volume", "create", volume)
    try:
        both = scenario | {"stack": scenario["stack"] | {"shared": ["./data", volume]}}
        run = chaoskit.run(both)
        assert run.code == 0, run.output
        assert "rehearsal" in run.stdout
        assert volume in docker("volume", "ls", "--quiet").split(), "it is not ours to remove"
        assert not things_of(f"io.chaoskit.run={run.path.name}")
    finally:
        docker("volume", "rm", volume, check=False)


def test_plan_touches_nothing(chaoskit: Chaoskit) -> None:
    path = chaoskit.write(chats(faults=[fault("blackhole", edge="chat-1 -> redis")]))
    done = subprocess.run(
        [str(chaoskit.executable), "plan", str(path)],
        cwd=chaoskit.directory, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "edge       chat-1 -> redis:6379  proxied\n" in done.stdout
    assert list(chaoskit.directory.iterdir()) == [path]
