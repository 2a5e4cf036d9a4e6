"""Canaries with a payload or an end to wait for, against small servers of every protocol."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from chaoskit.exchange import Ask, Exchange
from chaoskit.stack.canary import exchange

LOCAL = "127.0.0.1"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(behave: Behave) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    made = await asyncio.start_server(serve, LOCAL, 0)
    async with made:
        yield made.sockets[0].getsockname()[1]


async def asked(behave: Behave, protocol: str, ask: Ask, deadline: float = 0.5) -> Exchange:
    async with server(behave) as port:
        return await exchange(LOCAL, port, protocol, deadline, ask)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Redis' PING with a payload."""
    while True:
        await reader.readuntil(b"PING\r\n")
        size = int((await reader.readuntil(b"\r\n"))[1:])
        writer.write(b"$%d\r\n%b" % (size, await reader.readexactly(size + 2)))


async def before_login(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"PING\r\n")
        writer.write(b"-NOAUTH Authentication required.\r\n")


async def startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Postgres: it names the options it does not know, then asks for a password."""
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    body = await reader.readexactly(length - 4)
    name = body[body.index(b"_pq_.") :].partition(b"\0")[0] + b"\0"
    writer.write(b"v" + struct.pack("!iii", len(name) + 12, 0, 1) + name)
    await writer.drain()
    writer.write(b"R" + struct.pack("!ii", 8, 3))
    await reader.read()


def web(answer: bytes, most: int = 1000) -> Behave:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(most):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await writer.drain()

    return serve


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NONE = b"HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
OPEN_END = b"HTTP/1.0 200 OK\r\n\r\nhello"


@pytest.mark.parametrize("payload", [1, 100, 16_000, 16_001, 1_000_000])
async def test_redis_echoes_any_payload(payload: int) -> None:
    seen = await asked(echo, "redis", Ask(payload), deadline=5)
    assert seen.outcome == "answered"
    assert payload <= seen.received <= payload * 1.01 + 100
    assert payload <= seen.sent <= payload * 1.01 + 100
    assert seen.what == f"redis PING of {payload} bytes"


async def test_redis_before_a_login_answers_every_piece_with_an_error() -> None:
    seen = await asked(before_login, "redis", Ask(40_000))
    assert (seen.outcome, seen.received) == ("answered", 3 * 34)


@pytest.mark.parametrize(("payload", "moved"), [(10, 10), (9_500, 9_500), (500_000, 9_500)])
async def test_postgres_echoes_an_option_that_it_does_not_know(payload: int, moved: int) -> None:
    seen = await asked(startup, "postgres", Ask(payload))
    assert seen.outcome == "answered"
    assert moved < seen.received < moved + 50
    assert moved < seen.sent < 10_000


@pytest.mark.parametrize("answer", [OK, NONE, CHUNKS], ids=["length", "no-body", "chunked"])
async def test_http_answers_every_pipelined_request(answer: bytes) -> None:
    seen = await asked(web(answer), "http", Ask(3000))
    assert seen.outcome == "answered"
    assert seen.received == 15 * len(answer)
    assert seen.sent >= 3000


@pytest.mark.parametrize("answer", [OK, CHUNKS, OPEN_END], ids=["length", "chunked", "open-end"])
async def test_a_web_server_that_closes_after_its_first_answer_has_answered(
    answer: bytes,
) -> None:
    seen = await asked(web(answer, most=1), "http", Ask(3000))
    assert (seen.outcome, seen.received) == ("answered", len(answer))


@pytest.mark.parametrize("kept", [5, 30, len(OK) - 1, len(OK) + 3])
async def test_half_an_http_answer_is_not_an_answer(kept: int) -> None:
    seen = await asked(web((OK + OK)[:kept], most=1), "http", Ask(3000))
    assert (seen.outcome, seen.received) == ("closed", kept)
    assert str(seen) == f"closed after {kept} bytes"


async def test_half_an_answer_and_then_nothing_is_silence() -> None:
    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"$100\r\nxxx")
        await reader.read()
        await reader.read()

    seen = await asked(stuck, "redis", Ask(100), deadline=0.2)
    assert seen.outcome == "silent"
    assert re.fullmatch(r"silence after 9 bytes in 2..ms", str(seen))


async def test_pieces_are_counted() -> None:
    async def slices(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n" + b"x" * 10 + b"\r\n")
        for piece in (b"$10\r\n", b"xxxxx", b"xxxxx", b"\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    seen = await asked(slices, "redis", Ask(10))
    assert (seen.outcome, seen.pieces) == ("answered", 4)
    assert str(seen).endswith("ms in 4 pieces")


@pytest.mark.parametrize("protocol", ["redis", "postgres", "http", "tcp"])
async def test_the_end_of_a_connection_is_timed(protocol: str) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if protocol != "tcp":
            await reader.read(100)
            writer.write(b"+PONG\r\n")
        await reader.read()
        await asyncio.sleep(0.2)

    seen = await asked(late, protocol, Ask(close=True), deadline=2)
    assert seen.answered
    assert seen.closing is not None
    assert 0.19 < seen.closing < 1
    assert str(seen).endswith("ms to end")


async def test_an_end_that_does_not_come_is_waited_for_no_longer_than_the_deadline() -> None:
    over = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with server(never) as port:
        seen = await exchange(LOCAL, port, "tcp", 0.2, Ask(close=True))
        over.set()
    assert seen.closing is not None
    assert 0.19 < seen.closing < 0.5


async def test_a_plain_port_is_speechless_until_its_server_speaks_first() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert not (await asked(greet, "tcp", Ask())).speechless
    assert (await asked(wait, "tcp", Ask(payload=100))).speechless
