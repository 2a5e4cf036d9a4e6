"""Small servers on 127.0.0.1 that misbehave on purpose, and routes to them."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.fixed_routes import FixedRoutes

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Misbehave(Exception):
    """Raised by an answer function instead of answering: `stall`, `close` or `reset`."""


@dataclass
class Server:
    port: int
    connections: int = 0
    requests: list[Any] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def routes(self, service: str = "chat", port: int = 8082) -> FixedRoutes:
        return FixedRoutes({(service, port): ("127.0.0.1", self.port)})

    def break_connections(self) -> None:
        for writer in list(self.open):
            writer.transport.abort()


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def serve(
    handler: Callable[[Server], Handler], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(0)
    handle = handler(server)
    handling: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        task.add_done_callback(handling.discard)
        server.open.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
        except Misbehave as how:
            if str(how) == "reset":
                reset(writer)
            elif str(how) == "stall":
                with suppress(ConnectionError):
                    while await reader.read(65536):
                        pass
        finally:
            server.open.discard(writer)
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        server.break_connections()
        if handling:
            await asyncio.wait(handling, timeout=1)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def misbehaving(how: str, *, read: bool = False) -> Callable[[Server], Handler]:
    """A server that stalls, closes or resets, at once or after it read something."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if read:
                server.requests.append(await reader.read(65536))
            raise Misbehave(how)

        return handle

    return bind


Answer = tuple[int, Any]


def http(answer: Callable[[Seen], Answer | Awaitable[Answer]]) -> Callable[[Server], Handler]:
    """An HTTP/1.1 server with kept connections; `answer` gives a status and a JSON body."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                pairs = (line.split(": ", 1) for line in head[1:] if line)
                headers = {name.lower(): text for name, text in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                seen = Seen(method, path, headers, body)
                server.requests.append(seen)
                result = answer(seen)
                status, document = await result if isinstance(result, Awaitable) else result
                text = document if isinstance(document, str) else json.dumps(document)
                text = "" if status == 204 else text
                writer.write(
                    f"HTTP/1.1 {status} X\r\nX-Part: chat\r\nContent-Length: {len(text)}\r\n\r\n"
                    f"{text}".encode()
                )
                await writer.drain()

        return handle

    return bind


async def command(reader: asyncio.StreamReader) -> list[bytes]:
    """Read one command as Redis' clients send it."""
    count = int((await reader.readuntil(b"\r\n"))[1:])
    words = []
    for _ in range(count):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


def resp(answer: Callable[[list[str]], bytes]) -> Callable[[Server], Handler]:
    """A server that speaks Redis' protocol; `answer` gives the raw reply."""

    def bind(server: Server) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                words = [word.decode() for word in await command(reader)]
                server.requests.append(words)
                writer.write(answer(words))
                await writer.drain()

        return handle

    return bind


def refused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def refused_routes(service: str = "chat", port: int = 8082) -> FixedRoutes:
    return FixedRoutes({(service, port): ("127.0.0.1", refused_port())})
