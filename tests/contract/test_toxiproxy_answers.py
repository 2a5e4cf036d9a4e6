"""What the client makes of answers that a healthy Toxiproxy would not give."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from chaoskit.stack import toxiproxy
from chaoskit.stack.toxiproxy import (
    Toxiproxy,
    ToxiproxyRefused,
    ToxiproxyUnreachable,
    ToxiproxyWedged,
)

DEADLINE = 0.15
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer, deadline: float = 5.0) -> AsyncIterator[Toxiproxy]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    made = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = made.sockets[0].getsockname()[1]
    async with made, Toxiproxy(f"http://127.0.0.1:{port}", deadline=deadline) as api:
        yield api


def page(status: str, body: str, kind: str = "text/plain") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Location: /elsewhere\r\nConnection: close\r\n\r\n{body}".encode())

    return answer


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def trickle(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(DEADLINE / 3)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()


HTML = "<html><head><title>Timeout</title></head></html>"


async def test_the_server_s_own_timeout_page_is_a_wedge() -> None:
    async with server(page("503 Service Unavailable", HTML, "text/html")) as api:
        with pytest.raises(ToxiproxyWedged, match="timed out inside"):
            await api.proxies()


@pytest.mark.parametrize("answer", [hang, trickle])
async def test_no_complete_answer_in_time_is_a_wedge(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toxiproxy, "CONNECT_DEADLINE", DEADLINE)
    start = time.monotonic()
    async with server(answer, DEADLINE) as api:
        with pytest.raises(ToxiproxyWedged, match="no answer in time"):
            await api.remove_toxic("redis_6379", "slow.downstream")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (page("500 Oops", '{"error": "boom", "status": 500}'), 500, "500 boom"),
        (page("500 Oops", "panic: boom"), 500, "500 panic: boom"),
        (page("500 Oops", '["boom"]'), 500, "500"),
        (page("403 Forbidden", "User agent not allowed"), 403, "not allowed"),
        (page("302 Found", ""), 302, "302"),
        (page("404 Not Found", '{"error": "proxy not found"}'), 404, "proxy not found"),
        (page("200 OK", "<html>proxy of the company</html>", "text/html"), 200, "not JSON"),
        (page("200 OK", "[1]"), 200, "not an object"),
    ],
)
async def test_any_other_answer_is_a_refusal_with_its_status(
    answer: Answer, status: int, says: str
) -> None:
    async with server(answer) as api:
        with pytest.raises(ToxiproxyRefused, match=says) as caught:
            await api.proxies()
    assert caught.value.status == status


async def test_a_connection_that_ends_without_an_answer_means_it_is_gone() -> None:
    async with server(hang_up) as api:
        with pytest.raises(ToxiproxyUnreachable):
            await api.version()


async def test_nobody_listening_means_it_is_gone() -> None:
    async with server(hang_up) as api:
        pass
    async with Toxiproxy(api._base_url) as again:
        with pytest.raises(ToxiproxyUnreachable, match="nothing listens"):
            await again.version()


async def test_a_404_is_fine_only_where_gone_is_what_was_wanted() -> None:
    async with server(page("404 Not Found", '{"error": "toxic not found"}')) as api:
        await api.remove_toxic("a", "b")
        await api.delete("a")
        with pytest.raises(ToxiproxyRefused):
            await api.set_enabled("a", True)
