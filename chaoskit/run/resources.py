"""What a run's stack uses, now and then: the memory of its services, the load of its machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from chaoskit.errors import ChaoskitError
from chaoskit.record.events import HostLoad, Noted, ResourcesSampled
from chaoskit.record.writer import Recorder
from chaoskit.run.watches import watched
from chaoskit.stack.connections import proc_of
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

EVERY = 2.0  # seconds; a look costs some milliseconds of CPU for each container
PRESSURE = Path("/proc/pressure/cpu")


class ResourceWatch:
    """Looks at memory and load until stopped. What it cannot see is left out, and fails nothing."""

    def __init__(self, stack: Stack, services: Collection[str], recorder: Recorder) -> None:
        """`services` are those whose memory counts: not the proxies."""
        self._stack = stack
        self._services = services
        self._recorder = recorder
        self._waited = waited()
        self._since = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look every other second until stopped."""
        work = watched("what the stack uses", self._watch(), self._recorder, says=Noted)
        self._task = asyncio.create_task(work)

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _watch(self) -> None:
        here = await self._is_here()
        self._host()  # what was before does not count
        while True:
            await asyncio.sleep(EVERY)
            used: dict[str, int] = {}
            with contextlib.suppress(ChaoskitError):  # the engine comes and goes under faults
                used = await self._stack.limits.memory_of(self._stack.project)
            mine = {name: used[name] for name in sorted(used) if name in self._services}
            self._recorder.emit(ResourcesSampled(self._host() if here else None, mine))

    async def _is_here(self) -> bool:
        """Return whether the stack runs on this very machine: else its load says nothing."""
        try:
            found = await self._stack.containers.of(self._stack.project)
        except ChaoskitError:
            return False
        return any(proc_of(one, "cgroup") is not None for one in found)

    def _host(self) -> HostLoad:
        """Return how busy this machine was since this was asked last."""
        before, since = self._waited, self._since
        self._waited, self._since = waited(), time.monotonic()
        pressure = None
        if before is not None and self._waited is not None and self._since > since:
            share = (self._waited - before) / (self._since - since)
            pressure = round(min(max(share, 0.0), 1.0), 4)
        return HostLoad(pressure, round(os.getloadavg()[0], 2), os.cpu_count() or 1)


def waited() -> float | None:
    """Return for how many seconds since its start some task of this machine waited for a CPU; None
    where the kernel does not count it."""
    try:
        first = PRESSURE.read_text().splitlines()[0]
        return int(first.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        return None
