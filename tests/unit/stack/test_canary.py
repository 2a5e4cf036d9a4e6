"""How a canary exchange ends, against small servers that behave in every way there is."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chaoskit.exchange import Exchange, typical
from chaoskit.stack import canary
from chaoskit.stack.canary import exchange, protocol_of

LOCAL = "127.0.0.1"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASKING = ["redis", "postgres", "http", "tls"]


@asynccontextmanager
async def server(behave: Behave) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        finally:
            writer.close()

    made = await asyncio.start_server(serve, LOCAL, 0)
    async with made:
        yield made.sockets[0].getsockname()[1]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.read(100):
        writer.write(b"+PONG\r\n")
        await writer.drain()


async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    await writer.drain()


@pytest.mark.parametrize(
    ("behave", "protocol", "outcome"),
    [
        *[(answer, protocol, "answered") for protocol in ASKING],
        *[(stay, protocol, "silent") for protocol in ASKING],
        (stay, "tcp", "answered"),
        (greet, "tcp", "answered"),
        (close, "tcp", "closed"),
        (reset, "tcp", "reset"),
    ],
)
async def test_an_exchange_ends_in_one_of_five_ways(
    monkeypatch: pytest.MonkeyPatch, behave: Behave, protocol: str, outcome: str
) -> None:
    if outcome in ("closed", "reset"):  # it comes at once, unless the machine is slow
        monkeypatch.setattr(canary, "_QUIET", 10.0)
    async with server(behave) as port:
        deadline = 0.1 if outcome == "silent" else 10.0
        seen = await exchange(LOCAL, port, protocol, deadline)
    assert seen.outcome == outcome
    assert seen.answered is (outcome == "answered")


@pytest.mark.parametrize("protocol", ASKING)
@pytest.mark.parametrize("behave", [close, reset])
async def test_a_request_that_meets_an_end_is_not_answered(behave: Behave, protocol: str) -> None:
    async with server(behave) as port:
        seen = await exchange(LOCAL, port, protocol, deadline=10.0)
    assert seen.outcome in ("closed", "reset")


async def test_a_tls_server_is_asked_for_by_its_name() -> None:
    heard: list[bytes] = []

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(2000))
        writer.write(b"\x15\x03\x03\x00\x02\x02\x70")  # fatal: no such name
        await writer.drain()

    async with server(alert) as port:
        for asked in ("api", "pay_ments"):
            assert (await exchange(LOCAL, port, "tls", server=asked)).answered
    assert b"\x00\x03api" in heard[0]
    assert b"\x00\x09pay_ments" in heard[1]


async def test_nobody_listening_is_a_refusal() -> None:
    async with server(close) as port:
        pass
    assert (await exchange(LOCAL, port, "redis")).outcome == "refused"


async def test_a_network_that_swallows_the_handshake_is_silence() -> None:
    with socket.socket() as full:
        full.bind((LOCAL, 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        seen = await exchange(LOCAL, address[1], "redis", deadline=0.1)
        for filler in fillers:
            filler.close()
    assert seen.outcome == "silent"


@pytest.mark.parametrize(
    ("port", "declared", "protocol"),
    [
        (6379, None, "redis"),
        (5432, None, "postgres"),
        (5432, "tcp", "tcp"),
        (9999, "redis", "redis"),
        (6379, "http", "http"),
        (9999, None, "tcp"),
    ],
)
def test_a_url_says_how_to_talk_to_a_port_and_else_its_number_does(
    port: int, declared: str | None, protocol: str
) -> None:
    assert protocol_of(port, declared) == protocol


def test_the_typical_exchange_is_the_fastest_unless_most_of_them_failed() -> None:
    quick, slow = Exchange("x", "answered", 0.001), Exchange("x", "answered", 0.005)
    lost = Exchange("x", "refused", 0.0001)
    assert typical([slow, lost, quick]) == replace(quick, spread=0.004)
    assert typical([slow, quick, quick]) == quick
    assert typical([lost, lost, quick]) == lost


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Exchange("x", "answered", 0.0012, received=1), "1.2ms"),
        (Exchange("x", "silent", 1.0), "no answer in 1s"),
        (Exchange("x", "refused", 0.1), "refused"),
        (Exchange("x", "closed", 0.1), "closed at once"),
    ],
)
def test_an_exchange_is_said_in_words(seen: Exchange, text: str) -> None:
    assert str(seen) == text
