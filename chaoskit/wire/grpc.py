"""Asking a gRPC server for its health: the one call that every such server may offer.

The protocol is grpc.health.v1 over HTTP/2, as health-checking.md and PROTOCOL-HTTP2.md have it in
https://github.com/grpc/grpc/tree/master/doc.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

from chaoskit.fields import Target, TcpUrl
from chaoskit.stack.routes import Routes
from chaoskit.wire.error_text import CLOSED
from chaoskit.wire.tls import unverified

if TYPE_CHECKING:
    from h2.connection import H2Connection
    from h2.events import Event

HEALTHY = "SERVING"
_HEALTH = ("UNKNOWN", HEALTHY, "NOT_SERVING", "SERVICE_UNKNOWN")
_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_PATH = "/grpc.health.v1.Health/Check"
_BLOCK = 65536
_SETTINGS = b"\x04"  # the type of a frame, its fourth byte
_MOST = 4096  # bytes of an answer, which has seven


class GrpcUrl(TcpUrl):
    """`grpc://api:50051`, or `grpcs://` over TLS; the port must be given."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"grpc": 0, "grpcs": 0}

    @property
    def target(self) -> Target:
        """The port; a plain one says nothing before it is asked in HTTP/2."""
        return Target(self.service, self.port, "tls" if self.scheme == "grpcs" else "tcp")


class GrpcFailed(Exception):
    """The server did not say how it is; `broken`: nor will it on this connection."""

    def __init__(self, text: str, *, broken: bool = False) -> None:
        super().__init__(text)
        self.broken = broken


@dataclass(slots=True)
class _Answer:
    """What came of one call so far."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


class GrpcLink:
    """One kept HTTP/2 connection, opened by `connect`; one call at a time."""

    def __init__(self, url: GrpcUrl, routes: Routes) -> None:
        self._url = url
        self._routes = routes
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._http: H2Connection | None = None
        self._new = True  # nothing has come yet: a server begins with its settings
        self._leaving = False  # the server takes no more calls on this connection

    async def connect(self) -> None:
        """Make sure there is a live connection; one that the server has ended is opened again.

        Raises `OSError`, `EnvironmentFailure`, `GrpcFailed`.
        """
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        if self._reader is not None:
            await self._catch_up()
            if not self._leaving:
                return
        await self.close()
        host, port = self._routes.address(self._url.target)
        secure = self._url.scheme == "grpcs"
        self._reader, self._writer = await asyncio.open_connection(
            host,
            port,
            ssl=unverified("h2") if secure else None,
            server_hostname=self._url.service if secure else None,
        )
        self._new, self._leaving = True, False
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()
        self._flush()

    async def health(self, service: str, within: float) -> str:
        """Return the health of a service (empty: of the server) in the protocol's word.

        `within` (seconds) is what the server is told. Raises `GrpcFailed`, `OSError`.
        """
        http = self._http
        if http is None:
            raise GrpcFailed(CLOSED, broken=True)
        name = service.encode()
        message = b"\x0a" + _varint(len(name)) + name if name else b""
        stream = http.get_next_available_stream_id()
        http.send_headers(stream, self._headers(within))
        http.send_data(stream, struct.pack(">BI", 0, len(message)) + message, end_stream=True)
        self._flush()
        answer = _Answer()
        while not answer.ended:
            for event in await self._events():
                _take(event, stream, answer)
        return _health(answer)

    async def _catch_up(self) -> None:
        """Read what came by itself since the last call: pings, settings, a goodbye."""
        try:
            async with asyncio.timeout(0):
                while not self._leaving:
                    await self._events()
        except TimeoutError:
            return
        except (GrpcFailed, OSError):
            self._leaving = True

    async def _events(self) -> list[Event]:
        """Wait for something to come and return it. Raises `GrpcFailed`, `OSError`."""
        from h2.events import ConnectionTerminated, DataReceived
        from h2.exceptions import ProtocolError

        http = self._http
        if self._reader is None or http is None:
            raise GrpcFailed(CLOSED, broken=True)
        data = await self._reader.read(_BLOCK)
        if not data:
            raise GrpcFailed(CLOSED, broken=True)
        try:
            if self._new and data[3:4] != _SETTINGS:  # h2 would wait for the end of such a frame
                raise ProtocolError
            events = http.receive_data(data)
        except ProtocolError:
            text = CLOSED if self._leaving else "the server does not speak HTTP/2"
            raise GrpcFailed(text, broken=True) from None
        self._new = False
        for event in events:
            if isinstance(event, DataReceived):
                http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self._leaving = True
        self._flush()
        return events

    def _headers(self, within: float) -> list[tuple[str, str]]:
        scheme = "https" if self._url.scheme == "grpcs" else "http"
        return [
            (":method", "POST"),
            (":scheme", scheme),
            (":path", _PATH),
            (":authority", f"{self._url.service}:{self._url.port}"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", f"{max(1, round(within * 1000))}m"),
        ]

    def _flush(self) -> None:
        if self._writer is not None and self._http is not None:
            self._writer.write(self._http.data_to_send())

    async def close(self) -> None:
        writer, self._writer, self._reader, self._http = self._writer, None, None, None
        if writer is not None:
            writer.transport.abort()


def _take(event: Event, stream: int, answer: _Answer) -> None:
    """Add what an event says about a call."""
    from h2 import events

    if getattr(event, "stream_id", None) != stream:
        return
    if isinstance(event, events.ResponseReceived | events.TrailersReceived):
        answer.headers |= {str(name): str(value) for name, value in event.headers or ()}
    elif isinstance(event, events.DataReceived):
        answer.body += event.data or b""
        if len(answer.body) > _MOST:
            raise GrpcFailed("the answer is no health: it is too long", broken=True)
    elif isinstance(event, events.StreamReset):
        raise GrpcFailed(f"the call was reset (HTTP/2 error {int(event.error_code or 0)})")
    elif isinstance(event, events.StreamEnded):
        answer.ended = True


def _health(answer: _Answer) -> str:
    headers = answer.headers
    if "grpc-status" not in headers:
        raise GrpcFailed(f"status {headers.get(':status')} instead of gRPC")
    code = headers["grpc-status"]
    if code != "0":
        known = code.isdecimal() and int(code) < len(_CODES)
        said = unquote(headers.get("grpc-message", ""))
        raise GrpcFailed(f"{_CODES[int(code)] if known else code}{': ' if said else ''}{said}")
    message = bytes(answer.body[5:])
    if not message:
        return _HEALTH[0]  # a field that is zero is left out
    if len(message) != 2 or message[0] != 8 or message[1] >= len(_HEALTH):
        raise GrpcFailed("the answer is no health")
    return _HEALTH[message[1]]


def _varint(number: int) -> bytes:
    """Return a number as protobuf writes lengths: seven bits in a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
