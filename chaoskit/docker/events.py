"""What happened to the containers of a project: since a moment, or as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from chaoskit.docker.labels import (
    COMPOSE_NUMBER_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
)

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call
    from chaoskit.docker.machine import Machine


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One container event of a project. `time_ns` is the engine's wall clock."""

    service: str
    replica: int
    action: str
    time_ns: int
    exit_code: int | None
    signal: int | None = None  # of a `kill`


class Events:
    """The engine's event stream. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call, machine: Machine) -> None:
        self._api = api
        self._call = call
        self._machine = machine

    async def since(self, project: str, since: float, service: str) -> list[EngineEvent]:
        """Return what happened to the containers of a service from `since` (Unix seconds on the
        engine's clock) until now; the engine keeps its last 256 events at least."""
        until = (await self._machine.info()).now
        labels = [f"{COMPOSE_PROJECT_LABEL}={project}", f"{COMPOSE_SERVICE_LABEL}={service}"]

        def read() -> list[EngineEvent]:
            rows = cast("Any", self._api).events(  # its stubs know only whole seconds
                since=f"{since:.9f}",
                until=f"{until:.9f}",
                decode=True,
                filters={"type": "container", "label": labels},
            )
            return [event_of(cast("Mapping[str, Any]", row)) for row in rows]

        return await self._call("read events", read)

    def watch(
        self, project: str, emit: Callable[[EngineEvent], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        """Call `emit` in the event loop for each container event of a project, until stopped.

        `lost` is called there when the engine ends the stream. Returns the function that stops it.
        """
        loop = asyncio.get_running_loop()
        stopped = threading.Event()
        stream = self._api.events(
            decode=True,
            filters={"type": "container", "label": f"{COMPOSE_PROJECT_LABEL}={project}"},
        )

        def follow() -> None:
            with contextlib.suppress(Exception):  # the stream was closed, or the engine went away
                for row in stream:
                    event = event_of(cast("Mapping[str, Any]", row))
                    loop.call_soon_threadsafe(emit, event)
            if not stopped.is_set():
                with contextlib.suppress(RuntimeError):  # the loop may be gone, too
                    loop.call_soon_threadsafe(lost)

        threading.Thread(target=follow, name="engine-events", daemon=True).start()

        def stop() -> None:
            stopped.set()
            with contextlib.suppress(Exception):
                stream.close()

        return stop


def event_of(row: Mapping[str, Any]) -> EngineEvent:
    attributes = (row.get("Actor") or {}).get("Attributes") or {}
    code = attributes.get("exitCode")
    return EngineEvent(
        service=str(attributes.get(COMPOSE_SERVICE_LABEL, "")),
        replica=int(attributes.get(COMPOSE_NUMBER_LABEL, 1)),
        action=str(row.get("Action")),
        time_ns=int(row.get("timeNano") or 0),
        exit_code=None if code is None else int(code),
        signal=int(attributes["signal"]) if attributes.get("signal", "").isdigit() else None,
    )
