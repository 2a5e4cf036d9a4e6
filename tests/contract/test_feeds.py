"""Over a WebSocket and Redis pub/sub: what an operation comes to, what a subscriber hears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from chaoskit.clock import Clock
from chaoskit.records import Event, Json
from chaoskit.workloads.driver import Driver
from chaoskit.workloads.operations import Operation
from chaoskit.workloads.operations._base import Feed, FeedEnded, OperationModel, Reply
from chaoskit.workloads.operations.subscribe import Subscription
from chaoskit.workloads.operations.websocket import WebSocketOperation
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import Handler, Server, command, refused_routes, serve
from tests.unit.workloads.scripted import example, seen

pytestmark = pytest.mark.asyncio

URL = "ws://chat:8082/rooms/{key}"
PATIENCE = 20  # seconds that real sockets may take on a busy machine
Talk = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]


def made(adapter: Any = Operation, **fields: Any) -> OperationModel:
    operation = TypeAdapter(adapter).validate_python(fields)
    assert isinstance(operation, OperationModel)
    return operation


async def done(operation: OperationModel, routes: FixedRoutes, **fields: Any) -> Reply:
    session = operation.connect(routes)
    try:
        return await session.run(fields)
    finally:
        await session.close()


@asynccontextmanager
async def websockets(talk: Talk) -> AsyncIterator[FixedRoutes]:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket, request)
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield FixedRoutes({("chat", 8082): ("127.0.0.1", port)})
    finally:
        await runner.cleanup()


async def echo(socket: web.WebSocketResponse, request: web.Request) -> None:
    """Say something unasked, then answer each message with itself and where it came to."""
    await socket.send_json({"type": "hello"})
    async for message in socket:
        await socket.send_json({"type": "presence"})
        answer = {"path": request.path, "host": request.headers["Host"], **json.loads(message.data)}
        await socket.send_str(json.dumps({"type": "ack", **answer}))


def reset(request: web.Request) -> None:
    transport = request.transport
    assert transport is not None
    transport.abort()


# -- operations ----------------------------------------------------------------------------------


async def test_an_operation_takes_the_answer_that_belongs_to_it() -> None:
    operation = made(
        websocket=URL,
        send={"id": "{id}", "v": "{value}"},
        answer={"$.type": "ack", "$.id": "{id}"},
        value="$.v",
    )
    assert operation.placeholders == {"key", "id", "value"}
    async with websockets(echo) as routes:
        session = operation.connect(routes)
        replies = [await session.run({"key": "a b", "id": n, "value": n * 2}) for n in range(3)]
        whole = made(
            websocket=URL, send={"id": 1}, answer={"$.type": "ack"}, values="$['path','host']"
        )
        assert await done(whole, routes, key="a b") == Reply("ok", ["/rooms/a b", "chat:8082"])
        await session.close()
    assert replies == [Reply("ok", 0), Reply("ok", 2), Reply("ok", 4)]


async def test_without_a_rule_the_next_message_after_the_question_is_the_answer() -> None:
    async def answer(socket: web.WebSocketResponse, request: web.Request) -> None:
        async for message in socket:
            await socket.send_str(f"got {message.data}")
            await socket.send_str("unasked")

    operation = made(websocket=URL, send="plain {value}", value="$")
    async with websockets(answer) as routes:
        session = operation.connect(routes)
        for value in range(3):
            assert await session.run({"key": 1, "value": value}) == Reply(
                "ok", f"got plain {value}"
            )
            async with asyncio.timeout(PATIENCE):
                while cast("Any", session)._link._heard.empty():
                    await asyncio.sleep(0.001)
        await session.close()


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ({"error": "full"}, Reply("fail", error="the answer says that it failed")),
        ({"n": 3}, Reply("ok", 3)),
        ({"m": 3}, Reply("info", error="no match for $.n")),
    ],
)
async def test_an_answer_decides(said: Any, reply: Reply) -> None:
    async def answer(socket: web.WebSocketResponse, request: web.Request) -> None:
        async for _ in socket:
            await socket.send_json(said)

    operation = made(websocket=URL, send="x", value="$.n", fail={"$.error": "full"})
    async with websockets(answer) as routes:
        session = operation.connect(routes)
        assert await session.run({"key": 1}) == reply
        await session.close()


async def test_what_is_refused_before_sending_is_fail() -> None:
    operation = made(websocket=URL, send="x")
    refused = await done(operation, refused_routes(), key=1)
    assert refused == Reply("fail", error="connection refused")
    nowhere = await done(operation, FixedRoutes({}), key=1)
    assert nowhere == Reply("fail", error="no route to `chat:8082`")


async def test_a_refused_handshake_is_fail() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403)

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session = made(websocket=URL, send="x").connect(
        FixedRoutes({("chat", 8082): ("127.0.0.1", runner.addresses[0][1])})
    )
    assert await session.run({"key": 1}) == Reply("fail", error="status 403 instead of a WebSocket")
    await session.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("how", "error"),
    [("close", "connection closed with code 1001"), ("reset", "connection reset")],
)
async def test_a_connection_that_ends_before_the_answer_is_info_and_is_opened_anew(
    how: str, error: str
) -> None:
    broken = [True]

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        async for message in socket:
            if broken.pop() if broken else False:
                if how == "reset":
                    reset(request)
                else:
                    await socket.close(code=1001)
                return
            await socket.send_str(message.data)

    async with websockets(talk) as routes:
        session = made(websocket=URL, send="x", value="$").connect(routes)
        assert await session.run({"key": 1}) == Reply("info", error=error)
        assert await session.run({"key": 1}) == Reply("ok", "x")
        await session.close()


async def test_a_connection_closed_while_idle_costs_no_operation() -> None:
    count = 0

    async def once(socket: web.WebSocketResponse, request: web.Request) -> None:
        nonlocal count
        count += 1
        await socket.send_str((await socket.receive()).data)
        await socket.close()

    async with websockets(once) as routes:
        session = made(websocket=URL, send="x").connect(routes)
        for _ in range(3):
            assert (await session.run({"key": 1})).outcome == "ok"
            link = cast("Any", session)._link
            async with asyncio.timeout(PATIENCE):
                while link.open:
                    await asyncio.sleep(0.001)
        await session.close()
    assert count == 3


async def test_a_server_is_told_that_its_client_leaves() -> None:
    codes: list[int | None] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        async for message in socket:
            await socket.send_str(message.data)
        codes.append(socket.close_code)

    async with websockets(talk) as routes:
        assert await done(made(websocket=URL, send="x"), routes, key=1) == Reply("ok")
        async with asyncio.timeout(PATIENCE):
            while not codes:
                await asyncio.sleep(0.001)
    assert codes == [1000]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"websocket": "http://chat:8082/", "send": "x"}, "only ws:// or wss://"),
        ({"websocket": "ws://{key}:8082/", "send": "x"}, "the host cannot be a template"),
        ({"websocket": "ws://chat/{", "send": "x"}, "a lone `{`"),
        ({"websocket": "ws://chat/"}, "Field required"),
        ({"websocket": "ws://chat/", "send": "x", "answer": {"id": 1}}, "starts with `$`"),
        ({"websocket": "ws://chat/", "send": "x", "refused": [1]}, "it needs `value`"),
        (
            {"websocket": "ws://chat/", "send": "x", "value": "$", "values": "$"},
            "either `values` or `value`",
        ),
    ],
)
async def test_mistakes_are_found_when_the_scenario_is_read(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**fields)
    assert message in str(caught.value)


async def test_an_address_is_shown_without_its_password() -> None:
    operation = made(websocket="ws://u:secret@chat:8082/x", send="x")
    assert isinstance(operation, WebSocketOperation)
    assert str(operation.websocket) == "ws://u:***@chat:8082/x"
    assert (operation.target.port, operation.target.protocol) == (8082, "http")


# -- subscribers ---------------------------------------------------------------------------------


async def subscribed(subscription: OperationModel, routes: FixedRoutes) -> Feed:
    feed = cast("Feed", subscription.connect(routes))
    assert await feed.run({"key": 1, "subscriber": 2}) == Reply("ok")
    return feed


async def heard(feed: Feed) -> list[Json]:
    """Return what a feed brings until it ends, and how it ends."""
    found: list[Json] = []
    async with asyncio.timeout(PATIENCE):
        try:
            while True:
                found.append(await feed.next())
        except FeedEnded as ended:
            return [*found, str(ended)]


async def test_a_websocket_subscriber_says_what_it_wants_and_waits_until_it_has_it() -> None:
    asked: list[str] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked.append((await socket.receive()).data)
        await socket.send_json({"type": "hello"})
        await socket.send_json({"type": "subscribed"})
        await socket.send_json({"n": 1})
        await socket.send_bytes(b'{"n": 2}')
        await socket.close(code=1012)

    subscription = made(
        Subscription,
        websocket=URL,
        send=[{"join": "{key}", "as": "{subscriber}"}],
        ready={"$.type": "subscribed"},
    )
    async with websockets(talk) as routes:
        feed = await subscribed(subscription, routes)
        assert await heard(feed) == [{"n": 1}, {"n": 2}, "connection closed with code 1012"]
        assert feed.over
        await feed.close()
    assert asked == ['{"join":1,"as":2}']


async def test_a_websocket_peer_that_is_half_dead_is_noticed_by_its_silence() -> None:
    async def silent(socket: web.WebSocketResponse, request: web.Request) -> None:
        await socket.send_json(1)
        await asyncio.sleep(PATIENCE)  # reads nothing, so it answers no ping

    subscription = made(Subscription, websocket=URL, heartbeat="30ms")
    async with websockets(silent) as routes:
        feed = await subscribed(subscription, routes)
        found = await heard(feed)
        await feed.close()
    assert found[0] == 1
    assert len(found) == 2


def pubsub(messages: list[bytes], then: str) -> Callable[[Server], Handler]:
    """A Redis that confirms a subscription, sends the messages, and closes or falls silent."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                words = await command(reader)
                server.requests.append([word.decode() for word in words])
                if words[0] == b"PING":
                    if then == "pong":
                        writer.write(bulk(b"pong", b""))
                    continue
                for word in words[1:]:
                    writer.write(
                        b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(word), word)
                    )
                for message in messages:
                    writer.write(message)
                if then == "close":
                    return

        return handle

    return bind


def bulk(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


REDIS = {"redis": "SUBSCRIBE room:{key} all", "store": "redis://chat:8082"}


async def test_a_redis_subscriber_hears_messages_until_the_end() -> None:
    messages = [
        bulk(b"message", b"room:1", b"17"),
        bulk(b"message", b"all", b'{"n": 18}'),
        bulk(b"pmessage", b"room:*", b"room:1", b"text"),
        bulk(b"unsubscribe", b"room:1", b"0"),
    ]
    async with serve(pubsub(messages, "close")) as server:
        feed = await subscribed(made(Subscription, **REDIS), server.routes())
        assert await heard(feed) == [17, {"n": 18}, "text", "connection closed"]
        assert feed.over
        await feed.close()
    assert server.requests == [["SUBSCRIBE", "room:1", "all"]]


async def test_a_redis_that_is_half_dead_is_noticed_and_one_that_answers_is_kept() -> None:
    quick = REDIS | {"heartbeat": "15ms"}
    async with serve(pubsub([], "silence")) as server:
        feed = await subscribed(made(Subscription, **quick), server.routes())
        assert await heard(feed) == ["no answer to a ping"]
        await feed.close()
    async with serve(pubsub([], "pong")) as server:
        feed = await subscribed(made(Subscription, **quick), server.routes())
        async with asyncio.timeout(PATIENCE):
            while len(server.requests) < 4:
                await asyncio.sleep(0.005)
        assert not feed.over
        await feed.close()


@pytest.mark.parametrize("fields", [{"websocket": URL}, REDIS], ids=["websocket", "redis"])
async def test_a_subscription_that_is_refused_is_fail(fields: dict[str, Any]) -> None:
    feed = made(Subscription, **fields).connect(refused_routes())
    assert await feed.run({"key": 1}) == Reply("fail", error="connection refused")
    await feed.close()


async def test_events_over_real_websockets_survive_a_cut() -> None:
    sockets: set[web.WebSocketResponse] = set()
    requests: list[web.Request] = []
    said: list[int] = []
    history: list[Event] = []

    async def talk(socket: web.WebSocketResponse, request: web.Request) -> None:
        if "publish" in request.path:
            async for message in socket:
                said.append(json.loads(message.data)["n"])
                for other in list(sockets):
                    with suppress(ConnectionError):
                        await other.send_json({"n": said[-1]})
                await socket.send_json({"ok": True})
            return
        if "history" in request.path:
            async for _ in socket:
                await socket.send_json({"all": said})
            return
        sockets.add(socket)
        requests.append(request)
        async for _ in socket:
            pass
        sockets.discard(socket)

    events = example(
        "events",
        rate="100/s",
        clients=1,
        channels=["a"],
        subscribers=3,
        reconnect="20ms",
        timeout="20s",
        publish={"websocket": "ws://chat:8082/publish", "send": {"n": "{value}"}},
        subscribe={"websocket": "ws://chat:8082/live", "value": "$.n"},
        resync={"websocket": "ws://chat:8082/history", "send": "all", "values": "$.all[*]"},
    )
    async with websockets(talk) as routes, asyncio.timeout(PATIENCE):
        stop = asyncio.Event()
        subject = Driver("w", events, routes, Clock(), history.append, 1)
        run = asyncio.create_task(subject.run(stop))
        while subject.acknowledged < 5:
            await asyncio.sleep(0.002)
        for request in requests:
            reset(request)
        while len(seen(history, "resync")) < 3 or subject.acknowledged < 10:
            await asyncio.sleep(0.002)
        stop.set()
        await run
    published = {value for _, _, value in seen(history, "publish")}
    assert published == set(said)
    for process in (1, 2, 3):
        mine = [e for e in history if e.process == process and e.type == "ok"]
        live = {cast("int", e.value) for e in mine if e.op == "receive"}
        read = {n for e in mine if e.op == "resync" for n in cast("list[int]", e.value)}
        assert live | read == published
        ends = [e.error for e in history if (e.process, e.type) == (process, "info")]
        assert ends == ["connection reset"]
