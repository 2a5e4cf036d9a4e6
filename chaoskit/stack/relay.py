"""The control port of a relay: the hop that knows HTTP/1, behind the proxies that need it.

`relay_program` is what runs there; it says what it is told and what it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaoskit.errors import EnvironmentFailure, FaultFailed
from chaoskit.records import Json

SUFFIX = ".http"  # of the service that is the relay behind the proxies of another
CONTROL_PORT = 28000  # in the network namespace of its proxies
RELAY_PORTS = range(28001, 28501)  # on 127.0.0.1 there, one for each proxy in front of it
_DEADLINE = 3.0  # seconds for one answer
_LINE_MOST = 16 * 1024 * 1024


class RelayUnreachable(EnvironmentFailure):
    """No answer: its container is gone, or not up yet."""


@dataclass(frozen=True, slots=True)
class RuleState:
    """A rule as read back: how many requests it matched and changed, and the first of these."""

    rule: Mapping[str, Any]
    ports: tuple[int, ...]
    matched: int
    changed: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelayState:
    """What a relay does now. `requests` and `others` count, by port, what went through since it
    was started: requests, and connections that do not speak HTTP/1. `errors` are its own."""

    rules: Mapping[str, RuleState]
    requests: Mapping[int, int]
    others: Mapping[int, int]
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelayControl:
    """One relay, by the address of its control port."""

    host: str
    port: int

    async def add(self, id: str, ports: Sequence[int], rule: Mapping[str, Json]) -> None:
        """Put a rule in force, or replace it. Raises `FaultFailed`, `RelayUnreachable`."""
        await self._ask({"do": "add", "id": id, "ports": list(ports), "rule": dict(rule)})

    async def remove(self, id: str) -> None:
        """Remove a rule; none is fine too. Raises `FaultFailed`, `RelayUnreachable`."""
        await self._ask({"do": "remove", "id": id})

    async def look(self) -> RelayState:
        """Return what it does now. Raises `FaultFailed`, `RelayUnreachable`."""
        answer = await self._ask({"do": "look"})
        rules = {
            id: RuleState(
                row["rule"],
                tuple(row["ports"]),
                row["matched"],
                row["changed"],
                tuple(row["first"]),
            )
            for id, row in answer["rules"].items()
        }
        seen = {int(port): counts for port, counts in answer["seen"].items()}
        return RelayState(
            rules,
            {port: counts["requests"] for port, counts in seen.items()},
            {port: counts["others"] for port, counts in seen.items()},
            tuple(answer["errors"]),
        )

    async def _ask(self, question: Mapping[str, Json]) -> dict[str, Any]:
        where = f"the relay at {self.host}:{self.port}"
        try:
            async with asyncio.timeout(_DEADLINE):
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, limit=_LINE_MOST
                )
                try:
                    writer.write(json.dumps(question).encode() + b"\n")
                    line = await reader.readline()
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            answer: dict[str, Any] = json.loads(line)
        except (OSError, TimeoutError, ValueError) as error:
            raise RelayUnreachable(f"{where} does not answer: {type(error).__name__}") from error
        if "error" in answer:
            raise FaultFailed(f"{where} refuses `{question['do']}`: {answer['error']}")
        return answer
