"""Resource limits of containers and what they use, as the engine sets and counts them.

The engine cannot take a limit away again, only make it so large that it limits nothing: after
"unlimited" came back, `inspect` shows -1 or the kernel's largest number where it showed 0. The
control group is as it was, and `Limits` treats both as no limit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chaoskit.docker.labels import COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

T = TypeVar("T")
NANO = 10**9
PERIOD = 100_000  # microseconds: what the kernel takes when nobody says otherwise
# The largest page-aligned number: cgroup v1 shows it, and v2 shows `max`, for "no limit".
NO_MEMORY_LIMIT = 9223372036854771712
_PETABYTE = 2**50
_LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one container; None where there is none."""

    cores: float | None
    by_quota: bool  # set as quota and period, not as a number of CPUs: the engine takes one of both
    period: int  # microseconds
    memory: int | None  # bytes
    memory_and_swap: int | None  # bytes
    memory_reserved: int  # bytes
    cpuset: str  # "0-1,3"; empty: every CPU


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container used since its start. Counters start again when it does."""

    cpu_seconds: float
    periods: int
    throttled_periods: int
    throttled_seconds: float
    memory: int  # bytes now, without the page cache that can be dropped at once
    memory_limit: int  # bytes, as the kernel sees it
    limit_hits: int  # how often memory was refused at first (cgroup v1 counts them, v2 does not)


class ContainerLimits:
    """The engine's calls about limits and use."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def limits(self, container_id: str) -> Limits:
        host = await self._call(
            "inspect", lambda: self._api.inspect_container(container_id)["HostConfig"]
        )
        return _limits(cast("Mapping[str, Any]", host))

    async def limit_cores(self, container_id: str, cores: float | None, was: Limits) -> None:
        """Limit CPU time to so many cores, in the way it was limited before; None: no limit."""
        if was.by_quota:
            await self._update(
                container_id, CpuQuota=-1 if cores is None else round(cores * was.period)
            )
        elif cores is not None:
            await self._update(container_id, NanoCpus=round(cores * NANO))

    async def limit_memory(
        self, container_id: str, memory: int | None, memory_and_swap: int | None
    ) -> None:
        """Limit memory, and memory with swap, in bytes; None: no limit."""
        if memory_and_swap is None:
            # The engine does not tell the kernel about -1, so it takes a large number first.
            await self._update(container_id, Memory=memory or _PETABYTE, MemorySwap=_LARGEST_NUMBER)
        await self._update(
            container_id,
            Memory=memory or NO_MEMORY_LIMIT,
            MemorySwap=memory_and_swap or -1,
        )

    async def consumption(self, container_id: str) -> Usage:
        return await self._call("read statistics", lambda: self._usage(container_id))

    async def usage_of(self, project: str) -> dict[tuple[str, str], Usage]:
        """Return what each container of a Compose project uses that runs now, by service and id."""

        def read() -> dict[tuple[str, str], Usage]:
            from docker.errors import NotFound

            used: dict[tuple[str, str], Usage] = {}
            label = f"{COMPOSE_PROJECT_LABEL}={project}"
            for row in self._api.containers(filters={"label": [label]}):
                service = str((row.get("Labels") or {}).get(COMPOSE_SERVICE_LABEL, ""))
                with contextlib.suppress(NotFound):  # removed between the two calls
                    used[service, row["Id"]] = self._usage(row["Id"])
            return used

        return await self._call("read statistics", read)

    def _usage(self, container_id: str) -> Usage:
        stats = self._api.stats(container_id, stream=False, one_shot=True)
        return _consumption(cast("Mapping[str, Any]", stats))

    async def _update(self, container_id: str, **changes: int) -> None:
        def update() -> None:
            # The SDK's own `update_container` knows no number of CPUs and takes no -1.
            api = cast("Any", self._api)
            url = api._url("/containers/{0}/update", container_id)
            api._result(api._post_json(url, data=changes), json=True)

        await self._call("change limits", update)


def _limits(host: Mapping[str, Any]) -> Limits:
    nano, quota = int(host.get("NanoCpus") or 0), int(host.get("CpuQuota") or 0)
    period = int(host.get("CpuPeriod") or 0) or PERIOD
    cores = nano / NANO if nano else quota / period if quota > 0 else None
    memory, swap = int(host.get("Memory") or 0), int(host.get("MemorySwap") or 0)
    return Limits(
        cores=cores,
        by_quota=not nano,
        period=period,
        memory=memory if 0 < memory < NO_MEMORY_LIMIT else None,
        memory_and_swap=swap if 0 < swap < NO_MEMORY_LIMIT else None,
        memory_reserved=int(host.get("MemoryReservation") or 0),
        cpuset=str(host.get("CpusetCpus") or ""),
    )


def _consumption(stats: Mapping[str, Any]) -> Usage:
    cpu = stats.get("cpu_stats") or {}
    throttling = cpu.get("throttling_data") or {}
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
    return Usage(
        cpu_seconds=int((cpu.get("cpu_usage") or {}).get("total_usage") or 0) / NANO,
        periods=int(throttling.get("periods") or 0),
        throttled_periods=int(throttling.get("throttled_periods") or 0),
        throttled_seconds=int(throttling.get("throttled_time") or 0) / NANO,
        memory=max(0, int(memory.get("usage") or 0) - int(droppable or 0)),
        memory_limit=int(memory.get("limit") or 0),
        limit_hits=int(memory.get("failcnt") or 0),
    )
