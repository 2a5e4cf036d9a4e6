"""What each probe says about a system that behaves, and about one that does not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from chaoskit.probes._base import REGISTRY, Observed, Probe
from chaoskit.records import ContainerState
from chaoskit.stack.routes import Routes
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import (
    Misbehave,
    Seen,
    Server,
    http,
    misbehaving,
    refused_routes,
    resp,
    serve,
)

pytestmark = pytest.mark.asyncio

URLS = {
    "http": "http://chat:8082/healthz",
    "redis": "redis://chat:8082/0",
    "postgres": "postgres://u:p@chat:8082/db",
    "tcp": "tcp://chat:8082",
    "websocket": "ws://chat:8082/live",
}


def made(kind: str, **fields: Any) -> Probe:
    cls = REGISTRY.get(kind)
    assert cls is not None
    if kind in URLS:
        fields.setdefault("url", URLS[kind])
    return cls.model_validate({"probe": kind, **fields})


async def observed(probe: Probe, routes: Routes) -> Observed:
    session = await probe.connect(routes)
    try:
        return await session.observe()
    finally:
        await session.close()


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.kind)
async def test_the_example_of_every_probe_validates(kind: type[Probe]) -> None:
    probe = kind.model_validate(yaml.safe_load(kind.example))
    assert probe.probe == kind.kind
    assert probe.services()


@pytest.mark.parametrize("kind", sorted(URLS))
async def test_nobody_listening_is_connection_refused(kind: str) -> None:
    result = await observed(made(kind), refused_routes())
    assert (result.ok, result.error, result.broken) == (False, "connection refused", True)


@pytest.mark.parametrize("kind", sorted(URLS))
async def test_closed_at_once_is_connection_closed(kind: str) -> None:
    async with serve(misbehaving("close", read=kind != "tcp")) as server:
        result = await observed(made(kind), server.routes())
    assert (result.ok, result.error, result.broken) == (False, "connection closed", True)


@pytest.mark.parametrize("kind", ["http", "redis"])
async def test_a_reset_is_connection_reset(kind: str) -> None:
    async with serve(misbehaving("reset", read=True)) as server:
        result = await observed(made(kind), server.routes())
    assert (result.ok, result.error) == (False, "connection reset")
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["http", "redis", "postgres"])
async def test_closing_in_the_middle_of_an_observation_is_prompt(kind: str) -> None:
    async with serve(misbehaving("stall", read=True)) as server:
        session = await made(kind).connect(server.routes())
        work = asyncio.create_task(session.observe())
        while not server.requests:
            await asyncio.sleep(0.005)
        start = time.monotonic()
        await session.close()
        await asyncio.wait({work}, timeout=0.1)
        work.cancel()
        await asyncio.wait({work}, timeout=5)
        assert work.done()
        assert time.monotonic() - start < 5  # psycopg alone would wait 10 s for the server
        assert work.cancelled() or work.exception() or not work.result().ok


def health(seen: Seen) -> tuple[int, Any]:
    if seen.path == "/down":
        return 503, {"redis": "down"}
    return 200, {"redis": "up", "n": 3, "flag": True, "items": [{"a": 1}, {"a": 2}]}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, None),
        ({"expect": {"status": [200, 204]}}, None),
        ({"expect": {"status": 204}}, "status 200"),
        ({"url": "http://chat:8082/down"}, "status 503"),
        ({"url": "http://chat:8082/down", "expect": {"status": 503}}, None),
        ({"expect": {"body": {"$.redis": "up", "$.n": 3, "$.items[*].a": [1, 2]}}}, None),
        ({"expect": {"body": {"$.redis": "down"}}}, "body $.redis was 'up' not 'down'"),
        ({"expect": {"body": {"$.flag": 1}}}, "body $.flag was true not 1"),
        ({"expect": {"body": {"$.other": 1}}}, "body has no match for $.other"),
        ({"expect": {"header": {"x-part": "chat"}}}, None),
        ({"expect": {"header": {"x-part": "b"}}}, "header x-part was 'chat' not 'b'"),
        ({"expect": {"header": {"x-none": "b"}}}, "header x-none was missing"),
    ],
)
async def test_http_says_what_was_wrong(fields: dict[str, Any], error: str | None) -> None:
    async with serve(http(health)) as server:
        result = await observed(made("http", **fields), server.routes())
    assert (result.ok, result.error) == (error is None, error)
    assert not result.broken


async def test_http_keeps_the_services_name_in_host_and_the_number_asked_for() -> None:
    async with serve(http(health)) as server:
        result = await observed(made("http", value="$.n", headers={"X-A": "b"}), server.routes())
    assert result == Observed(True, value=3)
    assert server.requests[0].headers["host"] == "chat:8082"
    assert server.requests[0].headers["x-a"] == "b"


async def test_http_does_not_follow_redirects_and_keeps_its_connection() -> None:
    async with serve(http(lambda seen: (302, ""))) as server:
        session = await made("http").connect(server.routes())
        assert [(await session.observe()).error for _ in range(3)] == ["status 302"] * 3
        await session.close()
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_http_sends_nothing_twice_when_a_kept_connection_breaks() -> None:
    def answer(seen: Seen) -> tuple[int, Any]:
        if seen.path != "/healthz" or len(server.requests) == 1:
            return 200, {}
        raise Misbehave("close")

    async with serve(http(answer)) as server:
        session = await made("http").connect(server.routes())
        assert (await session.observe()).ok
        assert (await session.observe()).error == "connection closed"
        await session.close()
        assert len(server.requests) == 2


def redis_like(words: list[str]) -> bytes:
    replies = {
        "PING": b"+PONG\r\n",
        "SELECT": b"+OK\r\n",
        "AUTH": b"+OK\r\n",
        "GET n": b"$1\r\n5\r\n",
        "GET none": b"$-1\r\n",
        "SMEMBERS s": b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n",
        "LLEN s": b"-WRONGTYPE Operation against a key\r\n",
        "GET loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    }
    return replies.get(" ".join(words)) or replies.get(words[0], b"-ERR unknown command\r\n")


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, Observed(True)),
        ({"command": "GET n"}, Observed(True, value="5")),
        ({"command": "GET n", "expect": 5}, Observed(True, value="5")),
        ({"command": "GET 'n'", "expect": "6"}, Observed(False, "reply was '5' not '6'")),
        ({"command": "GET none", "expect": "6"}, Observed(False, "reply was null not '6'")),
        ({"command": "SMEMBERS s", "expect": ["1", "2"]}, Observed(True, value=["1", "2"])),
        ({"command": "LLEN s"}, Observed(False, "Operation against a key")),
        ({"command": "GET loading"}, Observed(False, "Redis is loading the dataset in memory")),
    ],
)
async def test_redis_says_what_was_wrong(fields: dict[str, Any], result: Observed) -> None:
    async with serve(resp(redis_like)) as server:
        seen = await observed(made("redis", **fields), server.routes())
    assert (seen.ok, seen.value, seen.broken) == (result.ok, result.value, False)
    assert (seen.error or "").endswith(result.error or "")


async def test_redis_sends_only_what_the_url_and_the_command_say() -> None:
    async with serve(resp(redis_like)) as server:
        await observed(made("redis"), server.routes())
        await observed(made("redis", url="redis://:pw@chat:8082/3"), server.routes())
    assert server.requests == [["PING"], ["AUTH", "pw"], ["SELECT", "3"], ["PING"]]


async def test_a_redis_connection_found_closed_while_idle_is_opened_anew() -> None:
    async with serve(resp(redis_like)) as server:
        session = await made("redis").connect(server.routes())
        assert (await session.observe()).ok
        server.break_connections()
        await asyncio.sleep(0.02)
        assert (await session.observe()).ok
        await session.close()
    assert server.connections == 2


async def test_tcp_accepts_silence_and_greetings() -> None:
    def greets(server: Server) -> Any:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"hello")
            await reader.read(1)

        return handle

    for behaviour in (misbehaving("stall"), greets):
        async with serve(behaviour) as server:
            assert await observed(made("tcp"), server.routes()) == Observed(True)


STATE = ContainerState("redis", 1, "c1", "p-redis-1", "running", "healthy", 0, 0, "")


@pytest.mark.parametrize(
    ("states", "fields", "error"),
    [
        ([STATE], {}, None),
        ([replace(STATE, health=None)], {}, None),
        ([], {}, "no such container"),
        ([STATE], {"replica": 2}, "no such container"),
        ([replace(STATE, health="starting")], {}, "redis[1] is starting"),
        ([replace(STATE, health="unhealthy")], {"expect": "running"}, None),
        ([replace(STATE, health=None)], {"expect": "healthy"}, "redis[1] has no health check"),
        ([replace(STATE, status="exited", exit_code=137)], {}, "redis[1] is exited (code 137)"),
        ([replace(STATE, status="paused")], {}, "redis[1] is paused"),
        ([STATE, replace(STATE, replica=2, status="dead")], {"replica": 1}, None),
        (
            [replace(STATE, restart_count=3)],
            {"max_restarts": 2},
            "redis[1] was restarted 3 times, not at most 2",
        ),
    ],
)
async def test_container_reads_the_engines_state(
    states: list[ContainerState], fields: dict[str, Any], error: str | None
) -> None:
    routes = FixedRoutes({}, {"redis": states})
    result = await observed(made("container", service="redis", **fields), routes)
    assert (result.ok, result.error) == (error is None, error)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("http", {"expect": {"status": "200"}}, "valid integer"),
        ("http", {"expect": {"body": {"redis": 1}}}, "a JSONPath starts with `$`"),
        ("http", {"expect": {"body": {"$.[": 1}}}, "not a JSONPath"),
        ("redis", {"command": "GET 'x"}, "no closing quotation"),
        ("redis", {"command": " "}, "a command is missing"),
        ("redis", {"url": "redis://chat:1/x"}, "not a Redis database"),
        ("tcp", {"url": "tcp://chat"}, "needs a port"),
    ],
)
async def test_mistakes_are_found_when_the_scenario_is_read(
    kind: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message.replace("$", r"\$")):
        made(kind, **fields)
