"""The `websocket` probe: handshakes, answers, messages that come unasked, and connections' ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSCloseCode, web

from chaoskit.clock import Clock
from chaoskit.probes._base import Observed
from chaoskit.probes.sampler import sample
from chaoskit.probes.websocket import WebSocketProbe
from chaoskit.records import Sample
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import http, misbehaving, refused_routes, serve

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


def made(**fields: Any) -> WebSocketProbe:
    base = {"probe": "websocket", "url": "ws://chat:8082/live?room=1", "timeout": "2s"}
    return WebSocketProbe.model_validate(base | fields)


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[tuple[FixedRoutes, list[web.Request]]]:
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        seen.append(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield FixedRoutes({("chat", 8082): ("127.0.0.1", runner.addresses[0][1])}), seen
    finally:
        await runner.cleanup()


async def observed(routes: FixedRoutes, times: int = 1, **fields: Any) -> list[Observed]:
    session = await made(**fields).connect(routes)
    try:
        return [await session.observe() for _ in range(times)]
    finally:
        await session.close()


async def sampled(routes: FixedRoutes, **fields: Any) -> Sample:
    """Return the first sample, with its deadline."""
    found: list[Sample] = []
    stop = asyncio.Event()

    def emit(one: Sample) -> None:
        found.append(one)
        stop.set()

    await sample("p", made(every="10s", **fields), routes, Clock(), emit, stop)
    return found[0]


async def answers(socket: web.WebSocketResponse) -> None:
    await socket.send_str("hello")
    async for message in socket:
        await socket.send_str("presence")
        await socket.send_str(f"got {message.data}")


async def listens(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass


async def ends(socket: web.WebSocketResponse) -> None:
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)


async def test_a_handshake_is_enough_and_goes_to_the_path_of_the_url() -> None:
    async with talking(listens) as (routes, seen):
        assert await observed(routes) == [Observed(True)]
    assert (str(seen[0].rel_url), seen[0].headers["Host"]) == ("/live?room=1", "chat:8082")


@pytest.mark.parametrize(
    "fields",
    [
        {"send": "ping"},
        {"send": "ping", "contains": "got ping"},
        {"contains": "hell"},
    ],
)
async def test_the_message_asked_for_is_good(fields: dict[str, Any]) -> None:
    async with talking(answers) as (routes, _):
        assert await observed(routes, **fields) == [Observed(True)]


async def test_a_message_that_never_comes_is_told_with_those_that_came() -> None:
    async with talking(answers) as (routes, _):
        one = await sampled(routes, send="ping", contains="pong", timeout="300ms")
        silent = await sampled(routes, contains="pong", timeout="200ms")
    assert one.error == ("no message with 'pong' (3 others came, the last 'got ping') within 300ms")
    assert silent.error == ("no message with 'pong' (1 other came, the last 'hello') within 200ms")
    async with talking(listens) as (routes, _):
        one = await sampled(routes, send="ping", timeout="200ms")
    assert one.error == "no message within 200ms"
    async with serve(misbehaving("stall", read=True)) as server:
        one = await sampled(server.routes(), timeout="200ms")
    assert one.error == "no end of the handshake within 200ms"


@pytest.mark.parametrize("fields", [{}, {"send": "x"}, {"contains": "x"}])
async def test_who_is_let_in_and_shown_out_at_once_was_refused(fields: dict[str, Any]) -> None:
    async with talking(ends) as (routes, _):
        assert await observed(routes, **fields) == [
            Observed(False, "connection closed with code 1013", broken=True)
        ]


async def test_no_websocket_no_server_and_no_route_are_told_apart() -> None:
    async with serve(http(lambda _: (503, {}))) as server:
        (refused,) = await observed(server.routes())
    assert refused.error == "status 503 instead of a WebSocket"
    (nobody,) = await observed(refused_routes())
    assert nobody.error == "connection refused"
    async with serve(misbehaving("close", read=True)) as server:
        (closed,) = await observed(server.routes())
    assert closed.error == "connection closed"
    (lost,) = await observed(FixedRoutes({}))
    assert lost.error == "no route to `chat:8082`"
    assert all(one.broken and not one.ok for one in (refused, nobody, closed, lost))


async def test_a_kept_connection_is_one_and_its_end_fails_the_probe() -> None:
    async def twice(socket: web.WebSocketResponse) -> None:
        for _ in range(2):
            await socket.receive()
            await socket.send_str("pong")

    async with talking(twice) as (routes, seen):
        kept = await observed(routes, 3, connection="keep", send="ping", contains="pong")
    assert [one.ok for one in kept] == [True, True, False]
    assert kept[2].error == "connection closed with code 1000"
    assert len(seen) == 1


async def test_a_kept_connection_whose_peer_is_silent_ends() -> None:
    async def deaf(socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(5)  # it reads nothing, so it answers no ping

    async with talking(deaf) as (routes, _):
        session = await made(connection="keep", timeout="100ms").connect(routes)
        assert (await session.observe()).ok
        result = Observed(True)
        async with asyncio.timeout(5):
            while result.ok:
                result = await session.observe()
        await session.close()
    assert (result.ok, result.broken) == (False, True)
    assert result.error
