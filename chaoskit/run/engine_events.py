"""What the engine says happens to the stack's containers, written down as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from chaoskit.clock import Clock
from chaoskit.docker.events import EngineEvent, Events
from chaoskit.record.events import ContainerChanged, RunUnproven
from chaoskit.record.writer import Recorder
from chaoskit.run.logs import LogFollower
from chaoskit.run.watches import watched
from chaoskit.stack.overlay import PREFIX
from chaoskit.tasks import end

_BORING = ("exec_", "top", "attach", "resize")  # engine events that health checks make


class EngineEvents:
    """Records the container events of a run's project from its start until it is stopped.

    Without them nobody can say what containers did: should the engine end them, or a defect of
    ours, the run does not pass.
    """

    def __init__(
        self,
        events: Events,
        project: str,
        recorder: Recorder,
        clock: Clock,
        logs: LogFollower | None = None,
    ) -> None:
        """`logs` is told of every start and death, to follow what is printed in between."""
        self._events = events
        self._logs = logs
        self._project = project
        self._recorder = recorder
        self._clock = clock
        self._open = contextlib.AsyncExitStack()
        self.tearing_down = False  # from then on our own containers may end

    async def start(self) -> None:
        """Return when the engine tells what happens. Raises `EngineGone`."""
        events = await self._open.enter_async_context(self._events.watch(self._project))
        work = watched("what happens to containers", self._follow(events), self._recorder)
        self._open.push_async_callback(end, asyncio.create_task(work))

    async def stop(self) -> None:
        await self._open.aclose()

    async def _follow(self, events: AsyncIterator[EngineEvent]) -> None:
        async for event in events:
            self._happened(event)

    def _happened(self, event: EngineEvent) -> None:
        own = event.service.startswith(PREFIX)
        ours = own or not event.service  # helpers have no service
        if own and event.action == "die" and not self.tearing_down:
            text = f"chaoskit's own `{event.service}` ended in the middle of the run"
            self._recorder.emit(RunUnproven(f"{text}: what it had to hand on got lost"))
        if ours or event.action.startswith(_BORING):
            return
        t = round(self._clock.at(datetime.fromtimestamp(event.time_ns / 1e9, UTC)), 6)
        changed = ContainerChanged(
            event.service, event.replica, event.action, event.exit_code, event.signal
        )
        self._recorder.emit(changed, t=t)
        if self._logs is not None and event.action == "start":
            self._logs.started(event, t)
        elif self._logs is not None and event.action == "die":
            self._logs.died(event, t)
