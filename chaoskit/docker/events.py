"""What happened to the containers of a project: since a moment, or as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from chaoskit.docker.call import EngineGone
from chaoskit.docker.labels import (
    COMPOSE_NUMBER_LABEL,
    COMPOSE_ONE_OFF_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
)
from chaoskit.tasks import whole

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types.daemon import CancellableStream

    from chaoskit.docker.call import Call
    from chaoskit.docker.machine import Machine

_JOIN = 2.0  # seconds the thread may take to see that its stream was closed


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One container event of a project. `time_ns` is the engine's wall clock."""

    service: str
    replica: int
    action: str
    time_ns: int
    exit_code: int | None
    signal: int | None = None  # of a `kill`
    container_id: str = ""


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

    @contextlib.asynccontextmanager
    async def watch(self, project: str) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        """Give the container events of a project from now on, as they come, for the time of an
        `async with`. The iterator raises `EngineGone` when the engine ends the stream."""
        loop = asyncio.get_running_loop()
        rows: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue()
        filters = {"type": "container", "label": f"{COMPOSE_PROJECT_LABEL}={project}"}

        async def close(stream: CancellableStream[Any]) -> None:
            with contextlib.suppress(Exception):  # the engine may have ended it already
                stream.close()

        def follow() -> None:
            with contextlib.suppress(Exception):  # whyever the stream ends
                for row in stream:
                    loop.call_soon_threadsafe(rows.put_nowait, cast("Mapping[str, Any]", row))
            with contextlib.suppress(RuntimeError):  # the loop may be gone, too
                loop.call_soon_threadsafe(rows.put_nowait, None)

        async def events() -> AsyncIterator[EngineEvent]:
            while (row := await rows.get()) is not None:
                yield event_of(row)
            raise EngineGone("the Docker engine went away")

        opening = self._call("watch events", lambda: self._api.events(decode=True, filters=filters))
        stream = await whole(opening, close)
        thread = threading.Thread(target=follow, name="engine-events", daemon=True)
        thread.start()
        try:
            yield events()
        finally:
            await close(stream)
            await asyncio.to_thread(thread.join, _JOIN)


def event_of(row: Mapping[str, Any]) -> EngineEvent:
    attributes = (row.get("Actor") or {}).get("Attributes") or {}
    code = attributes.get("exitCode")
    one_off = attributes.get(COMPOSE_ONE_OFF_LABEL) == "True"  # `docker compose run`: no replica
    return EngineEvent(
        service="" if one_off else str(attributes.get(COMPOSE_SERVICE_LABEL, "")),
        replica=int(attributes.get(COMPOSE_NUMBER_LABEL, 1)),
        action=str(row.get("Action")),
        time_ns=int(row.get("timeNano") or 0),
        exit_code=None if code is None else int(code),
        signal=int(attributes["signal"]) if attributes.get("signal", "").isdigit() else None,
        container_id=str((row.get("Actor") or {}).get("ID", "")),
    )
