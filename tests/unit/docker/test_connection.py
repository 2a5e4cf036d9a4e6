"""The connection to the engine: opened and closed off the loop, with nothing left of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from chaoskit.clock import until
from chaoskit.docker.call import EngineGone
from chaoskit.docker.client import Engine
from chaoskit.errors import EnvironmentFailure

EVENT = (
    b'{"Action": "die", "timeNano": 5000000000, "Actor": {"Attributes": {'
    b'"com.docker.compose.service": "redis", "exitCode": "137"}}}\n'
)


class FakeDaemon:
    """Answers on this very loop: a call that blocked it would never be answered."""

    def __init__(self) -> None:
        self.ends = asyncio.Event()  # set: its event streams end
        self.streams = 0
        self.part = "Engine"
        self.failing = 0  # how many calls it refuses before it answers

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self.failing:
            self.failing -= 1
            return web.Response(status=500)
        if request.path.endswith("/version"):
            parts = [{"Name": self.part, "Version": "28.0"}]
            return web.json_response({"Version": "28.0", "ApiVersion": "1.44", "Components": parts})
        if not request.path.endswith("/events"):
            return web.json_response([])
        response = web.StreamResponse()
        await response.prepare(request)
        self.streams += 1
        try:
            await response.write(EVENT)
            await self.ends.wait()
        finally:
            self.streams -= 1
        return response


@pytest.fixture
async def daemon(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDaemon]:
    fake = FakeDaemon()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}:{port}")
    yield fake
    fake.ends.set()
    await runner.cleanup()


async def none_left(daemon: FakeDaemon) -> bool:
    """Return whether threads and sockets of a connection are gone, after a moment at most."""

    async def look() -> bool:
        threads = [one for one in threading.enumerate() if one.name.startswith("engine")]
        return not threads and not daemon.streams

    return await until(look, within=2, every=0.01)


async def test_nothing_is_left_of_a_connection(daemon: FakeDaemon) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with Engine.connect() as engine:
        assert engine.version == "28.0"
        await asyncio.gather(*(engine.containers.of("shop") for _ in range(8)))
        async with engine.events.watch("shop") as events:
            event = await anext(events)
            assert (event.service, event.action, event.exit_code) == ("redis", "die", 137)
    assert await none_left(daemon)

    async def fewer() -> bool:  # the server's side of each connection is ours, too
        return len(os.listdir("/proc/self/fd")) <= before

    assert await until(fewer, within=2, every=0.01)


async def test_a_stream_that_the_engine_ends_is_told(daemon: FakeDaemon) -> None:
    async with Engine.connect() as engine, engine.events.watch("shop") as events:
        await anext(events)
        daemon.ends.set()
        with pytest.raises(EngineGone):
            await anext(events)


async def test_a_stream_that_nobody_wants_any_more_when_it_opens_is_closed(
    daemon: FakeDaemon,
) -> None:
    async def watching() -> None:
        async with engine.events.watch("shop"):
            raise AssertionError("it was cancelled before")

    async with Engine.connect() as engine:
        task = asyncio.create_task(watching())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await none_left(daemon)


async def test_an_engine_that_comes_in_time_is_waited_for(
    daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.docker.client._CONNECT_AGAIN", 0.01)
    daemon.failing = 2
    with pytest.raises(EnvironmentFailure):
        async with Engine.connect():
            pass
    async with Engine.connect(within=5) as engine:
        assert engine.version == "28.0"


async def test_podman_is_refused_with_the_reason(daemon: FakeDaemon) -> None:
    daemon.part = "Podman Engine"
    with pytest.raises(EnvironmentFailure, match=r"is Podman's: its engine has no links"):
        async with Engine.connect():
            pass
    assert await none_left(daemon)
