"""Raw clients of Redis, HTTP and Postgres that say what they saw, byte by byte, through a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from tests.contract.real_servers import LOCAL

USER, PASSWORD = "contract", "contract-secret"
SIZES = (1, 2000)  # of the pages that the HTTP server has


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: how it ended, after how long, with how many bytes in how many reads."""

    outcome: str  # answered, silent, ended, reset, refused
    seconds: float
    received: int = 0
    pieces: int = 0


class Line:
    """One connection of a client."""

    def __init__(
        self, protocol: str, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self.protocol = protocol
        self._reader, self._writer = streams

    async def ask(self, size: int = 1, within: float = 5.0) -> Seen:
        """Ask for an answer with this many bytes in it and wait for all of it."""
        return await self._until(self.request(size), size, within)

    def request(self, size: int) -> bytes:
        if self.protocol == "redis":
            return b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (size, b"x" * size)
        if self.protocol == "http":
            return b"GET /%d HTTP/1.1\r\nHost: lab\r\n\r\n" % size
        query = b"SELECT repeat('x', %d)\0" % size
        return b"Q" + struct.pack("!i", len(query) + 4) + query

    def _over(self, got: bytes, size: int) -> bool:
        if self.protocol == "redis":
            return got.endswith(b"x\r\n") and len(got) > size
        if self.protocol == "http":
            _, blank, body = got.partition(b"\r\n\r\n")
            return bool(blank) and len(body) >= size
        return got.endswith(b"Z\0\0\0\x05I")  # ready for the next query

    async def _until(self, request: bytes, size: int, within: float) -> Seen:
        start = time.monotonic()
        got, pieces = b"", 0

        def saw(outcome: str) -> Seen:
            return Seen(outcome, time.monotonic() - start, len(got), pieces)

        try:
            async with asyncio.timeout(within):
                self._writer.write(request)
                while not self._over(got, size):
                    piece = await self._reader.read(65536)
                    if not piece:
                        return saw("ended")
                    got += piece
                    pieces += 1
        except TimeoutError:
            return saw("silent")
        except OSError:
            return saw("reset")
        return saw("answered")

    async def late_answer(self, size: int = 1) -> Seen:
        """Wait for the answer to what was asked before."""
        return await self._until(b"", size, 2.0)

    async def ended(self, within: float = 0.1) -> bool:
        """Say whether the other side has closed, without asking anything."""
        try:
            async with asyncio.timeout(within):
                return await self._reader.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    async def close(self) -> float:
        """Half-close and return the seconds until the other side has ended too."""
        start = time.monotonic()
        self._writer.write_eof()
        with contextlib.suppress(OSError):
            while await asyncio.wait_for(self._reader.read(65536), 5.0):
                pass
        return time.monotonic() - start

    def abort(self) -> None:
        self._writer.transport.abort()


class Clients:
    """Makes connections for a test and ends them all with it."""

    def __init__(self, protocol: str, port: int) -> None:
        self.protocol, self.port = protocol, port
        self._keep: list[Callable[[], Awaitable[None] | None]] = []

    async def kept(self) -> Line:
        """Return a connection that has been in use: logged in, one answer seen."""
        if self.protocol == "postgres":
            line = Line("postgres", await self._logged_in())
        else:
            line = Line(self.protocol, await asyncio.open_connection(LOCAL, self.port))
        self._keep.append(line.abort)
        seen = await line.ask()
        assert seen.outcome == "answered", seen
        return line

    async def _logged_in(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        made = await psycopg.AsyncConnection.connect(
            f"host={LOCAL} port={self.port} user={USER} password={PASSWORD} dbname=postgres"
            " sslmode=disable",
            autocommit=True,
        )
        self._keep.append(made.close)
        sock = socket.socket(fileno=os.dup(made.pgconn.socket))
        return await asyncio.open_connection(sock=sock)

    async def new(self, size: int = 1, within: float = 5.0) -> Seen:
        """Connect and ask at once. In Postgres that is before the login: the server names an
        option that it does not know and asks for the password."""
        start = time.monotonic()
        try:
            line = await self.line()
        except OSError:
            return Seen("refused", time.monotonic() - start)
        return await line.ask(size, within)

    async def line(self) -> Line:
        made = _Fresh if self.protocol == "postgres" else Line
        line = made(self.protocol, await asyncio.open_connection(LOCAL, self.port))
        self._keep.append(line.abort)
        return line

    async def close(self) -> None:
        for end in self._keep:
            waiting = end()
            if waiting is not None:
                await waiting
        await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn


class _Fresh(Line):
    """A connection to Postgres before its login."""

    def request(self, size: int) -> bytes:
        option = b"_pq_.%b\0\0" % (b"x" * size)
        body = struct.pack("!i", 196608) + b"user\0contract\0" + option + b"\0"
        return struct.pack("!i", len(body) + 4) + body

    def _over(self, got: bytes, size: int) -> bool:
        return b"SCRAM-SHA-256" in got and len(got) > size
