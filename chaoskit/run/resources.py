"""What a run's stack uses, now and then: the memory of its services, the load of its machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from chaoskit.docker.limits import Usage
from chaoskit.errors import ChaoskitError
from chaoskit.record.events import HostLoad, Noted, ResourcesSampled
from chaoskit.record.writer import Recorder
from chaoskit.run.watches import watched
from chaoskit.stack.cpu_waits import CpuWaits
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

EVERY = 2.0  # seconds; a look costs some milliseconds of CPU for each container
PRESSURE = Path("/proc/pressure/cpu")
STATISTICS = Path("/proc/stat")


class ResourceWatch:
    """Looks at memory and load until stopped. What it cannot see is left out, and fails nothing."""

    def __init__(self, stack: Stack, services: Collection[str], recorder: Recorder) -> None:
        """`services` are those that are recorded: not the proxies."""
        self._stack = stack
        self._services = services
        self._recorder = recorder
        self._waits = CpuWaits()
        self._before = Moment.now({})
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look every other second until stopped."""
        work = watched("what the stack uses", self._watch(), self._recorder, says=Noted)
        self._task = asyncio.create_task(work)

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _watch(self) -> None:
        await self._look()  # what was before does not count
        while True:
            await asyncio.sleep(EVERY)
            self._recorder.emit(await self._look())

    async def _look(self) -> ResourcesSampled:
        used: dict[tuple[str, str], Usage] = {}
        waited: dict[str, float] = {}
        with contextlib.suppress(ChaoskitError):  # the engine comes and goes under faults
            used = await self._stack.limits.usage_of(self._stack.project)
            found = await self._stack.containers.of(self._stack.project)
            waited = await asyncio.to_thread(self._waits.since_last, found)
        before = self._before
        self._before = Moment.now({id: one.cpu_seconds for (_, id), one in used.items()})
        memory: Counter[str] = Counter()
        for (service, _), one in used.items():
            memory[service] += one.memory
        return ResourcesSampled(
            # A machine that shows none of their processes is another one.
            host=self._before.load_since(before) if waited else None,
            services={n: memory[n] for n in sorted(memory) if n in self._services and memory[n]},
            waited={n: round(waited[n], 4) for n in sorted(waited) if n in self._services},
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """Counters of this machine at one moment, in seconds; None where they cannot be read."""

    at: float
    pressure: float | None  # some task waited for a CPU
    busy: float | None  # of all CPUs
    ours: Mapping[str, float]  # of all CPUs, for each container of the stack and for this process

    @classmethod
    def now(cls, containers: Mapping[str, float]) -> Moment:
        """Read them; `containers` says how many seconds of CPU each of the stack has used."""
        ours = {**containers, "": sum(os.times()[:4])}
        return cls(time.monotonic(), pressure(), busy(), ours)

    def load_since(self, before: Moment) -> HostLoad:
        cpus = os.cpu_count() or 1
        took = max(self.at - before.at, 1e-6)
        waited = others = None
        if self.pressure is not None and before.pressure is not None:
            waited = _share(self.pressure - before.pressure, took)
        if self.busy is not None and before.busy is not None:
            # A container that was started again counts from its start.
            pairs = ((now, before.ours.get(id, 0.0)) for id, now in self.ours.items())
            used = sum(now - then if now >= then else now for now, then in pairs)
            others = _share(self.busy - before.busy - used, took * cpus)
        return HostLoad(waited, round(os.getloadavg()[0], 2), cpus, others)


def _share(part: float, whole: float) -> float:
    return round(min(max(part / whole, 0.0), 1.0), 4)


def pressure() -> float | None:
    """Return for how many seconds since its start some task of this machine waited for a CPU; None
    where the kernel does not count it."""
    try:
        first = PRESSURE.read_text().splitlines()[0]
        return int(first.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def busy() -> float | None:
    """Return for how many seconds the CPUs of this machine were at work since its start, all added
    up. What a hypervisor took away counts: it was not there for the stack."""
    try:
        numbers = [int(word) for word in STATISTICS.read_text().split("\n", 1)[0].split()[1:]]
        user, nice, system, _idle, _waiting, interrupts, soft, stolen = numbers[:8]
    except (OSError, ValueError):
        return None
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")
