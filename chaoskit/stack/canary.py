"""A canary: one tiny exchange through the same listener a client uses, to feel what it feels."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chaoskit.fields import seconds_text

Outcome = Literal["answered", "silent", "closed", "reset", "refused"]

# Postgres' SSLRequest: length 8, code 80877103. Every server answers it with one byte.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_REQUESTS = {
    "redis": ("redis PING", b"*1\r\n$4\r\nPING\r\n"),
    "postgres": ("postgres SSL request", _SSL_REQUEST),
    # Kept alive: a server that closes would turn a swallowed reply from silence into an end.
    "http": ("HTTP OPTIONS", b"OPTIONS * HTTP/1.1\r\nHost: canary\r\n\r\n"),
}
_PORT_PROTOCOLS = {6379: "redis", 5432: "postgres", 80: "http", 8080: "http", 8000: "http"}
_QUIET = 0.05  # seconds a plain connection must stay open to count as answered


@dataclass(frozen=True, slots=True)
class Exchange:
    """How one canary exchange went; `seconds` from connecting to the first byte back."""

    what: str
    outcome: Outcome
    seconds: float

    @property
    def answered(self) -> bool:
        return self.outcome == "answered"

    def __str__(self) -> str:
        took = seconds_text(self.seconds)
        return {
            "answered": took,
            "silent": f"no answer in {took}",
            "closed": "closed at once",
            "reset": "reset",
            "refused": "refused",
        }[self.outcome]


def protocol_of(port: int, declared: str | None = None) -> str:
    """Return how to talk to a port: what the scenario's URLs say, else what its number says."""
    if declared in _REQUESTS:
        return str(declared)
    return _PORT_PROTOCOLS.get(port, "tcp")


async def exchange(host: str, port: int, protocol: str, deadline: float = 1.0) -> Exchange:
    """Do one exchange on a new connection; never raises for what the other side does."""
    what, request = _REQUESTS.get(protocol, ("connection", b""))
    start = time.monotonic()

    def ended(outcome: Outcome) -> Exchange:
        return Exchange(what, outcome, time.monotonic() - start)

    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return ended("silent")
    except OSError:
        return ended("refused")
    try:
        async with asyncio.timeout(deadline if request else _QUIET):
            writer.write(request)
            first = await reader.read(1)
        return ended("answered" if first else "closed")
    except TimeoutError:
        return ended("silent" if request else "answered")
    except OSError:
        return ended("reset")
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def typical(exchanges: Sequence[Exchange]) -> Exchange:
    """Return the exchange in the middle; a failed one counts as the slowest."""
    ordered = sorted(exchanges, key=lambda e: (not e.answered, e.seconds))
    return ordered[len(ordered) // 2]
