"""The probes and workloads of a run: starting them, the gate, stopping them."""

from __future__ import annotations

import asyncio

from chaoskit.clock import Clock, until
from chaoskit.errors import FaultFailed
from chaoskit.probes.sampler import sample
from chaoskit.record.events import WorkloadEnded
from chaoskit.record.writer import Recorder
from chaoskit.scenario.document import Gate, Scenario
from chaoskit.stack.routes import Routes
from chaoskit.text import aside
from chaoskit.workloads.driver import Driver

_POLL = 0.02


class GateUnmet(FaultFailed):
    """The steady state was not met: nothing is injected."""


class Clients:
    """Everything that observes the stack and writes to it while the run goes on."""

    def __init__(
        self, scenario: Scenario, routes: Routes, clock: Clock, recorder: Recorder, seed: int
    ) -> None:
        self._scenario = scenario
        self._routes = routes
        self._clock = clock
        self._recorder = recorder
        self._seed = seed
        self._probes_stop, self._writes_stop = asyncio.Event(), asyncio.Event()
        self._probes: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.Task[None]] = []
        self._drivers: dict[str, Driver] = {}

    def load(self) -> None:
        """Import the client libraries: later it would hold up the loop that probes."""
        for probe in self._scenario.probes.values():
            probe.load()
        for workload in self._scenario.workloads.values():
            for operation in workload.operations().values():
                operation.load()

    def start_probes(self) -> None:
        for name, probe in self._scenario.probes.items():
            emit, stop = self._recorder.sample, self._probes_stop
            work = sample(name, probe, self._routes, self._clock, emit, stop)
            self._probes.append(asyncio.create_task(work))

    def start_workloads(self) -> None:
        for name, workload in self._scenario.workloads.items():
            emit = self._recorder.operation
            driver = Driver(name, workload, self._routes, self._clock, emit, self._seed)
            self._drivers[name] = driver
            self._writers.append(asyncio.create_task(self._write(name, driver)))

    async def _write(self, name: str, driver: Driver) -> None:
        schedule = await driver.run(self._writes_stop)
        self._recorder.emit(WorkloadEnded(name, schedule))

    def acknowledged(self, workload: str) -> int:
        """Return the acknowledged writes of a workload so far."""
        return self._drivers[workload].acknowledged

    def failing(self) -> list[str]:
        """Return the services that the probes ask whose last sample was not good."""
        seen = self._recorder.counts.probes
        bad = [
            probe
            for name, probe in self._scenario.probes.items()
            if name in seen and (last := seen[name].last) is not None and last.outcome != "ok"
        ]
        return [service for probe in bad for service in probe.services()]

    async def gate(self, gate: Gate) -> None:
        """Return when every probe was good in a row for long enough. Raises `GateUnmet`."""

        async def unmet() -> list[str]:
            self.check()
            return [name for name in self._scenario.probes if not self._steady(name, gate)]

        left = await until(unmet, met=lambda names: not names, within=gate.within, every=_POLL)
        if left:
            raise GateUnmet(
                f"the steady state was not met within {gate.within}, nothing was injected: "
                + "; ".join(self._why_unmet(name) for name in left)
            )

    def _steady(self, name: str, gate: Gate) -> bool:
        count = self._recorder.counts.probes.get(name)
        if count is None or count.good_since is None:
            return False
        return count.last_due - count.good_since >= gate.for_ - 1e-9

    def _why_unmet(self, name: str) -> str:
        count = self._recorder.counts.probes.get(name)
        if count is None or count.last is None:
            return f"probe `{name}` gave no sample"
        asked = aside(self._scenario.probes[name].asks())
        if count.last.outcome != "ok":
            return f"probe `{name}` fails: {count.last.error}{asked}"
        return f"probe `{name}` failed {count.failed} of {count.samples} times{asked}"

    def check(self) -> None:
        """Raise what a probe or workload task raised: it is a defect of ours or a full disk."""
        for task in [*self._probes, *self._writers]:
            if task.done() and not task.cancelled() and task.exception() is not None:
                task.result()

    async def final_reads(self) -> None:
        """Stop writing, then read everything back: through the app and from the store."""
        self._writes_stop.set()
        await asyncio.gather(*self._writers)
        await asyncio.gather(*(driver.final_reads() for driver in self._drivers.values()))

    async def stop(self) -> None:
        """Stop observing; what is in flight ends, or is cut at its deadline."""
        self._writes_stop.set()
        self._probes_stop.set()
        await asyncio.gather(*self._probes, *self._writers)

    async def cut(self) -> None:
        """Stop at once, whatever is in flight. Raises what one of them raised by itself."""
        for task in [*self._probes, *self._writers]:
            task.cancel()
        await asyncio.gather(*self._probes, *self._writers, return_exceptions=True)
        self.check()
