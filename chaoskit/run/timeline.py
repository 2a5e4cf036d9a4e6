"""The faults phase: every fault on its schedule, and the heal of those that last until its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from chaoskit.run.injector import Injection, Injector
from chaoskit.run.start_conditions import Starts


@dataclass(frozen=True, slots=True)
class _Lasting:
    """A fault without a lease: what ends it, and the task that injects, waits and heals."""

    injection: Injection
    hold: asyncio.Event
    task: asyncio.Task[None]


class Timeline:
    """Runs the faults of a run, and afterwards ends those without a lease."""

    def __init__(self, injector: Injector, injections: Sequence[Injection], hold: float) -> None:
        """`hold` is how many seconds the phase goes on after the last of those has started."""
        self._injector = injector
        self._injections = injections
        self._hold = hold
        self._lasting: list[_Lasting] = []

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Those that outlive the phase."""
        return [one.task for one in self._lasting]

    async def run(self, starts: Starts, start: float) -> None:
        """Run every fault's schedule, counted from `start`, run-clock seconds."""
        async with asyncio.TaskGroup() as group:
            for injection in self._injections:
                hold = asyncio.Event()
                due = partial(starts.wait, injection.fault, start)
                work = self._injector.run(injection, due, hold)
                if injection.fault.for_ is None and not injection.fault.instant:
                    # Outside the group: the phase must not wait for it to end.
                    self._lasting.append(_Lasting(injection, hold, asyncio.create_task(work)))
                else:
                    group.create_task(work)
        if self._lasting:
            for one in self._lasting:
                await one.injection.started.wait()
            await asyncio.sleep(self._hold)

    async def heal(self) -> None:
        """Let faults without a lease heal, the newest first."""
        newest_first = sorted(
            self._lasting, key=lambda one: one.injection.injected_at or 0.0, reverse=True
        )
        for one in newest_first:
            one.hold.set()
            await one.task
