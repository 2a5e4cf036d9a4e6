"""What else shows a fault, besides what connections do: measured the same way without it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping

from chaoskit.docker.containers import Container
from chaoskit.docker.labels import PROJECT_LABEL, ROLE_LABEL
from tests.compose_project import docker
from tests.matrix.matrix_project import MatrixProject
from tests.matrix.rows import CLIENT, SCRATCH, SERVICES

# How often the kernel held this container back while it was busy for a while.
_LOOP = """
import glob, re, time
def held_back():
    stat = glob.glob("/sys/fs/cgroup/cpu/cpu.stat") + glob.glob("/sys/fs/cgroup/cpu.stat")
    found = re.search(r"nr_throttled (\\d+)", open(stat[0]).read())
    return int(found[1]) if found else 0
before, end = held_back(), time.monotonic() + 0.5
while time.monotonic() < end:
    pass
print(held_back() > before)
"""
_HUNGER = "print(len(b'x' * 250 * 2**20))"
_SOON = 0.5  # seconds in which a server does what it got
_WRITE = f"head -c 100000 /dev/zero > {SCRATCH}/try; s=$?; rm -f {SCRATCH}/try; exit $s"
_DATA = {
    "redis": ["redis-cli", "GET", "matrix:seed"],
    "postgres": ["psql", "-U", "matrix", "-At", "-c", "SELECT value FROM matrix"],
    "web": ["cat", "/data/seed"],
    "echo": ["cat", "/data/seed"],
}


async def containers(project: MatrixProject) -> dict[str, Container]:
    """Return the container of each upstream."""
    found = await asyncio.gather(*(project.stack.replicas(service) for service in SERVICES))
    return {service: rows[0] for service, rows in zip(SERVICES, found, strict=True)}


def became(before: Mapping[str, Container], now: Mapping[str, Container]) -> set[str]:
    """Say what has become of the containers."""
    return {_became(before[service], now[service]) for service in before}


def _became(before: Container, now: Container) -> str:
    if now.id != before.id:
        return "a new container"
    if not now.state.running or now.state.status == "paused":
        return {"paused": "frozen", "exited": "down"}.get(now.state.status, now.state.status)
    return (
        "the same process" if now.state.started_at == before.state.started_at else "a new process"
    )


async def _loop(project: MatrixProject, service: str) -> str:
    held = await project.inside(service, "python3", "-c", _LOOP) == "True"
    return "a busy loop is throttled" if held else "a busy loop is not throttled"


async def _hunger(project: MatrixProject, service: str) -> str:
    status, text = await project.run(service, "python3", "-c", _HUNGER)
    assert status in (0, 137), f"{service}: {status} {text}"
    return "a process that takes 250 MiB is killed" if status else "a process gets 250 MiB"


async def _load(project: MatrixProject, service: str) -> str:
    of_project = f"label={PROJECT_LABEL}={project.stack.project}"
    wanted = ("--filter", of_project, "--filter", f"label={ROLE_LABEL}=helper")
    name = re.compile(rf"\b{project.container(service)}\b|{service}")
    rows = await asyncio.to_thread(docker, "ps", *wanted, "--format", "{{.ID}} {{.Names}}")
    mine = [row.split()[0] for row in rows.splitlines() if name.search(row.split()[1])]
    tops = [await asyncio.to_thread(docker, "top", id, "-eo", "pid,comm") for id in mine]
    works = any("stress-ng" in top for top in tops)
    return "stress-ng works beside it" if works else "nothing works beside it"


async def _disk(project: MatrixProject, service: str) -> str:
    status, text = await project.run(service, "sh", "-c", _WRITE)
    if status == 0:
        return "a write to its mount works"
    assert "No space left on device" in text, f"{service}: {status} {text}"
    return "a write to its mount fails: no space left on device"


async def _data(project: MatrixProject, service: str) -> str:
    _, text = await project.run(service, *_DATA[service])
    return "its data is there" if text == "true value" else "its data is gone"


async def _broken(project: MatrixProject, service: str) -> str:
    status, _ = await project.run(service, "test", "-e", f"{SCRATCH}/broken")
    return "its file is there" if status == 0 else "no file of it"


async def _asked(project: MatrixProject, service: str) -> str:
    """Ask one store for something over a kept connection and look there whether it was done."""
    if service != "redis":
        return ""
    await project.agents[CLIENT].do("leave")
    end = time.monotonic() + _SOON
    while await project.inside("redis", "redis-cli", "DEL", "matrix:asked") != "1":
        if time.monotonic() > end:
            return "what is asked is not done"
    return "what is asked is done"


PROBES: Mapping[str, Callable[[MatrixProject, str], Awaitable[str]]] = {
    "loop": _loop,
    "hunger": _hunger,
    "load": _load,
    "disk": _disk,
    "data": _data,
    "broken": _broken,
    "asked": _asked,
}


async def probed(project: MatrixProject, probe: str) -> set[str]:
    """Use a probe on every upstream and return what it says."""
    said = await asyncio.gather(*(PROBES[probe](project, service) for service in SERVICES))
    return set(said) - {""}
