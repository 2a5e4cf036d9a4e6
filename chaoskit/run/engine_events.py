"""What the engine says happens to the stack's containers, written down as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from chaoskit.clock import Clock
from chaoskit.docker.client import Engine
from chaoskit.docker.events import EngineEvent
from chaoskit.errors import StoreFailed
from chaoskit.record.writer import Recorder
from chaoskit.stack.overlay import PREFIX

_BORING = ("exec_", "top", "attach", "resize")  # engine events that health checks make


class EngineEvents:
    """Records the container events of a run's project from its start until it is stopped."""

    def __init__(self, engine: Engine, project: str, recorder: Recorder, clock: Clock) -> None:
        self._engine = engine
        self._project = project
        self._recorder = recorder
        self._clock = clock
        self.stop: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.stop = self._engine.events.watch(self._project, self._happened, self._lost)

    def _happened(self, event: EngineEvent) -> None:
        ours = not event.service or event.service.startswith(PREFIX)  # helpers have no service
        if ours or event.action.startswith(_BORING):
            return
        self._recorder.event(
            "container",
            t=self._clock.at(datetime.fromtimestamp(event.time_ns / 1e9, UTC)),
            service=event.service,
            replica=event.replica,
            action=event.action,
            exit_code=event.exit_code,
        )

    def _lost(self) -> None:
        """Without the engine's events nobody can say what containers did: never a pass."""
        with contextlib.suppress(StoreFailed):
            self._recorder.event("doubt", text="the Docker engine went away during the run")
