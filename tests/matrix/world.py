"""The world around a fault: everything that a fault may change and a heal must put back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from chaoskit.docker.limits import NO_MEMORY_LIMIT
from tests.compose_project import LAB, docker
from tests.contract.real_servers import LABEL
from tests.matrix import snapshot_agent
from tests.matrix.matrix_project import Agent, MatrixProject, program
from tests.matrix.rows import SCRATCH

World = dict[str, Any]

_PATIENCE = 3.0  # seconds for what ends a moment after the heal: a helper, an exec, a session
_POLL = 0.1
_STATE = ("Status", "Running", "Paused", "Restarting", "Dead")


class Looker:
    """Looks at a project from outside."""

    def __init__(self, project: MatrixProject, agent: Agent) -> None:
        self._project = project
        self._agent = agent

    async def world(self) -> World:
        """Return the world as it is now."""
        project = self._project.stack.project
        label = f"label=com.docker.compose.project={project}"
        containers, proxies, networks, volumes = await asyncio.gather(
            self._containers(label),
            self._proxies(),
            _docker("network", "ls", "--filter", label, "--format", "{{.Name}}"),
            _docker("volume", "ls", "--filter", label, "--format", "{{.Name}}"),
        )
        names = {id: one["name"].removeprefix(f"{project}-") for id, one in containers.items()}
        places = {
            names[id].rpartition("-")[0]: [one.pop("pid"), one.pop("layer")]
            for id, one in containers.items()
        }
        seen = await self._agent.ask({name: at for name, at in places.items() if at[0] != "0"})
        for id, one in containers.items():
            one |= seen.get(names[id].rpartition("-")[0]) or {}
        return {
            **{names[id]: found for id, found in containers.items()},
            "host": seen["host"],
            "proxies": proxies,
            "networks": sorted(networks.splitlines()),
            "volumes": sorted(volumes.splitlines()),
        }

    async def _containers(self, label: str) -> dict[str, World]:
        ids = (await _docker("ps", "-aq", "--filter", label)).split()
        return {row["Id"]: _described(row) for row in json.loads(await _docker("inspect", *ids))}

    async def _proxies(self) -> World:
        stack = self._project.stack
        names = sorted({proxy.container for proxy in stack.proxies})
        states = await asyncio.gather(*(stack.api_states(name) for name in names))
        return {
            f"{container}/{name}": repr(state)
            for container, served in zip(names, states, strict=True)
            for name, state in served.items()
        }

    async def changed(self, before: World, allowed: frozenset[str]) -> tuple[World, list[str]]:
        """Return the world now, and in words what differs from before, but for what may."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while True:
            now = await self.world()
            found = differences(before, now, allowed)
            if not found or loop.time() > end:
                return now, found
            await asyncio.sleep(_POLL)


@contextlib.asynccontextmanager
async def looker(project: MatrixProject) -> AsyncIterator[Looker]:
    """Look at the world of a project for as long as the block lasts."""
    options = ("--privileged", "--pid", "host", "--network", "none", "--init")
    labels = ("--label", f"{LABEL}={project.stack.project}")
    container = await _docker("run", "-d", "--rm", *options, *labels, LAB, "sleep", "infinity")
    try:
        async with program(container, [snapshot_agent], SCRATCH) as agent:
            yield Looker(project, agent)
    finally:
        await _docker("rm", "--force", container)


async def _docker(*arguments: str) -> str:
    return await asyncio.to_thread(docker, *arguments)


def _described(row: Mapping[str, Any]) -> World:
    """Return what `docker inspect` says, without what it makes up anew at every start."""
    config = {key: value for key, value in row["Config"].items() if key != "Hostname"}
    networks = row["NetworkSettings"]["Networks"]
    return {
        "name": row["Name"].lstrip("/"),
        "pid": str(row["State"]["Pid"]),
        "layer": (row["GraphDriver"]["Data"] or {}).get("UpperDir"),
        "id": row["Id"],
        "started": row["State"]["StartedAt"],
        "restarts": row["RestartCount"],
        "address": {
            name: [one["IPAddress"], one["GlobalIPv6Address"], one["MacAddress"]]
            for name, one in networks.items()
        },
        "state": {key: row["State"][key] for key in _STATE},
        "config": _settled(config),
        "limits and policies": _settled(_limits(row["HostConfig"])),
        "mounts": sorted(
            f"{one['Type']} {one.get('Name', one['Source'])} {one['Destination']} {one['RW']}"
            for one in row["Mounts"]
        ),
        "networks": {
            name: {
                "aliases": sorted(
                    alias for alias in one["Aliases"] or () if alias not in row["Id"]
                ),
                "links": sorted(one["Links"] or ()),
                "fixed": one["IPAMConfig"] or None,
                "gateway": one["Gateway"],
                "options": one["DriverOpts"] or None,
            }
            for name, one in networks.items()
        },
    }


def _limits(host: World) -> World:
    """Take every way to say "no limit" for the same: the engine cannot go back to 0, which is its
    word for "leave it as it is"."""
    return {key: 0 if value in (-1, NO_MEMORY_LIMIT) else value for key, value in host.items()}


def _settled(value: Any) -> Any:
    """Take null and empty for the same, and lists as sorted: the engine's answers vary."""
    if isinstance(value, dict):
        return {key: _settled(one) for key, one in value.items() if _settled(one) is not None}
    if isinstance(value, list):
        return sorted(map(str, value)) or None
    return value or None


def differences(before: Any, now: Any, allowed: frozenset[str], path: str = "") -> list[str]:
    """Say what differs between two worlds, but for parts with one of these names."""
    if isinstance(before, dict) and isinstance(now, dict):
        found: list[str] = []
        for key in sorted({*before, *now}):
            if key not in allowed:
                where = f"{path}/{key}".lstrip("/")
                found += differences(before.get(key), now.get(key), allowed, where)
        return found
    return [] if before == now else [f"{path}: {before} before, {now} after"]
