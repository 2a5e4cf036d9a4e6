"""The machine that the engine runs on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call


@dataclass(frozen=True, slots=True)
class MachineInfo:
    """The machine the engine runs on: its wall clock in Unix seconds, its size."""

    now: float
    cpus: int
    memory: int  # bytes
    cgroups: str = ""  # "1" or "2"


class Machine:
    """The engine's calls about its machine. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def info(self) -> MachineInfo:
        """Return what the engine says about its machine now."""
        info = await self._call("ask the engine", self._api.info)
        now = datetime.fromisoformat(str(info["SystemTime"]))
        cgroups = str(info.get("CgroupVersion") or "")
        return MachineInfo(now.timestamp(), int(info["NCPU"]), int(info["MemTotal"]), cgroups)

    async def security_options(self) -> str:
        """Return the engine's security options as one text: `name=seccomp,name=rootless`."""
        info = await self._call("ask the engine", self._api.info)
        return ",".join(info.get("SecurityOptions") or ())

    async def has_limit(self, name: str) -> bool:
        """Return whether the engine can set a limit, by its name in `docker info`."""
        return bool((await self._call("ask the engine", self._api.info)).get(name))
