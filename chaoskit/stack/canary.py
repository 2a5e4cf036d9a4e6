"""A canary: one tiny exchange through the same listener a client uses, to feel what it feels.

It asks only what every server answers without a login and without changing anything, and it never
raises for what the other side does. Most faults show in the first byte of a tiny answer; some need
a payload to push through, or an end to wait for: a fault says so with `Ask`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import re
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chaoskit.exchange import BRIEFLY, LARGEST_PAYLOAD, Ask, Exchange, Outcome
from chaoskit.ports import PROTOCOLS

# Postgres' SSLRequest: length 8, code 80877103. Every server answers it with one byte.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@functools.cache
def _client_hello(server: str) -> bytes:
    """Return how a TLS client begins that asks for a server by its name; every TLS server answers
    it, if only with an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), asked, server_hostname=server).do_handshake()
    return asked.read()


# How each protocol is asked, by the name of the server.
_REQUESTS: Mapping[str, tuple[str, Callable[[str], bytes]]] = {
    "redis": ("redis PING", lambda _: b"*1\r\n$4\r\nPING\r\n"),
    "postgres": ("postgres SSL request", lambda _: _SSL_REQUEST),
    # Kept alive: a server that closes would turn a swallowed reply from silence into an end.
    "http": ("HTTP OPTIONS", lambda _: b"OPTIONS * HTTP/1.1\r\nHost: canary\r\n\r\n"),
    "tls": ("TLS handshake", _client_hello),
}
_QUIET = 0.05  # seconds a plain connection must stay open to count as answered
_BLOCK = 65536

# What one request of a payload may hold. Redis takes 16384 bytes before a login; HTTP servers take
# headers of 8 KB; Postgres takes a start-up packet of 10000 bytes.
_REDIS_PING = 16_000
_HTTP_HEADER, _HTTP_REPLY, _HTTP_MOST = 1000, 200, 32
_POSTGRES_STARTUP = 9_500
_TLS_REPLY = 500  # bytes: a server's hello with its certificate is larger


def protocol_of(port: int, declared: str | None = None) -> str:
    """Return how to talk to a port: what URLs of the scenario and of its clients say, else what
    its number says."""
    if declared is None:
        return PROTOCOLS.get(port, "tcp")
    return declared if declared in _REQUESTS else "tcp"


async def exchange(
    host: str,
    port: int,
    protocol: str,
    deadline: float = 1.0,
    ask: Ask = BRIEFLY,
    server: str = "canary",
) -> Exchange:
    """Do one exchange with what is called `server` on a new connection; never raises for what the
    other side does."""
    talk = _talk(protocol, ask.payload, server)
    start = time.monotonic()

    def ended(outcome: Outcome, closing: float | None = None) -> Exchange:
        seconds = (talk.last or time.monotonic()) - start
        if outcome == "silent":  # how long was waited, not when the last byte came
            seconds = time.monotonic() - start
        sent = len(talk.request)
        return Exchange(talk.what, outcome, seconds, sent, talk.received, talk.pieces, closing)

    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return ended("silent")
    except OSError:
        return ended("refused")
    try:
        waits = talk.request or ask.greeting
        async with asyncio.timeout(deadline if waits else _QUIET):
            writer.write(talk.request)
            await talk.listen(reader)
        outcome: Outcome = "answered" if talk.complete else "closed"
    except TimeoutError:
        outcome = "silent" if waits else "answered"
    except OSError:
        outcome = "answered" if talk.complete else "reset"
    try:
        closing = None
        if ask.close and outcome == "answered":
            closing = await _close(reader, writer, deadline)
        return ended(outcome, closing)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _close(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: float
) -> float:
    """Close this side and return how long the other takes to close its own, the deadline at most.

    Toxiproxy ends both sides when one ends, so every protocol, and none at all, can feel this.
    """
    start = time.monotonic()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(deadline):
            writer.write_eof()
            while await reader.read(_BLOCK):
                pass
    return time.monotonic() - start


EndOf = Callable[[bytearray, int], int | None]  # where the answer that starts here ends, if it does


@dataclass(slots=True)
class _Talk:
    """One request and what came back of its answer."""

    what: str
    request: bytes
    end_of: EndOf
    answers: int = 1
    may_close_early: bool = False  # a server that closes after its first answer has answered
    buffer: bytearray = field(default_factory=bytearray)
    received: int = 0
    pieces: int = 0
    last: float | None = None  # when the last byte came, on the monotonic clock
    _seen: int = 0
    _position: int = 0

    @property
    def complete(self) -> bool:
        if self._seen >= self.answers:
            return True
        # What is left is not a piece of one more answer: nothing, or a body without a length.
        rest = self.buffer[self._position :][: len(_HTTP)]
        partial = bool(rest) and _HTTP.startswith(rest)
        return self.may_close_early and self._seen > 0 and not partial

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Read until every answer is there or the other side ends."""
        while self._seen < self.answers:
            piece = await reader.read(_BLOCK)
            if not piece:
                return
            self.last = time.monotonic()
            self.received += len(piece)
            self.pieces += 1
            self.buffer += piece
            while self._seen < self.answers:
                end = self.end_of(self.buffer, self._position)
                if end is None:
                    break
                self._position = end
                self._seen += 1


def _talk(protocol: str, payload: int, server: str) -> _Talk:
    if protocol not in _REQUESTS:
        return _Talk("connection", b"", _first_byte)
    what, asks = _REQUESTS[protocol]
    request = asks(server)
    if payload <= 0:
        return _Talk(what, request, _first_byte)
    payload = min(payload, LARGEST_PAYLOAD)
    if protocol == "tls":
        least = min(payload, _TLS_REPLY)
        return _Talk(what, request, lambda buffer, _: len(buffer) if len(buffer) >= least else None)
    if protocol == "redis":
        return _redis(payload)
    return _postgres(payload) if protocol == "postgres" else _http(payload)


def _first_byte(buffer: bytearray, start: int) -> int | None:
    return len(buffer) if len(buffer) > start else None


def _redis(payload: int) -> _Talk:
    """PING with a payload comes back as it went; before a login, as one line of error."""
    count = math.ceil(payload / _REDIS_PING)
    size = math.ceil(payload / count)
    ping = b"*2\r\n$4\r\nPING\r\n$%d\r\n%b\r\n" % (size, b"x" * size)

    def end_of(buffer: bytearray, start: int) -> int | None:
        line = buffer.find(b"\r\n", start)
        if line < 0:
            return None
        end = line + 2
        if buffer[start : start + 1] == b"$":
            end += int(buffer[start + 1 : line]) + 2
        return end if len(buffer) >= end else None

    return _Talk(f"redis PING of {payload} bytes", ping * count, end_of, count)


def _postgres(payload: int) -> _Talk:
    """A start-up packet with an option nobody knows: the server names it in its answer before it
    asks for a password. Leaving there is not even logged."""
    payload = min(payload, _POSTGRES_STARTUP)
    option = b"_pq_.%b\0\0" % (b"x" * payload)
    body = struct.pack("!i", 196608) + b"user\0chaoskit\0" + option + b"\0"

    def end_of(buffer: bytearray, start: int) -> int | None:
        if len(buffer) < start + 5:
            return None
        end = start + 1 + int(struct.unpack_from("!i", buffer, start + 1)[0])
        if len(buffer) < end:
            return None
        # "v" names what it does not know; the message after it ends this answer.
        return end_of(buffer, end) if buffer[start : start + 1] == b"v" else end

    request = struct.pack("!i", len(body) + 4) + body
    return _Talk(f"postgres start-up of {payload} bytes", request, end_of)


_HTTP = b"HTTP/1."
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,12}) *\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


def _http(payload: int) -> _Talk:
    """Pipelined requests with a padded header; one that closes after the first is fine too."""
    count = min(math.ceil(payload / _HTTP_REPLY), _HTTP_MOST)
    pad = b"x" * min(math.ceil(payload / count), _HTTP_HEADER)
    one = b"OPTIONS * HTTP/1.1\r\nHost: canary\r\nX-Canary: %b\r\n\r\n" % pad

    def end_of(buffer: bytearray, start: int) -> int | None:
        blank = buffer.find(b"\r\n\r\n", start)
        if blank < 0:
            return None
        head, end = bytes(buffer[start : blank + 4]), blank + 4
        if re.match(rb"HTTP/1\.[01] (1..|204|304)", head):
            return end
        if _CHUNKED.search(head):
            last = buffer.find(b"0\r\n\r\n", end)
            return None if last < 0 else last + 5
        length = _LENGTH.search(head)
        end = len(buffer) if length is None else end + int(length[1])
        return end if len(buffer) >= end else None

    return _Talk(f"{count} HTTP OPTIONS", one * count, end_of, count, may_close_early=True)
