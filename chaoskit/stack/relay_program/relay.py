"""Every listener of a relay, its rules, and the port on which it is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from typing import Any

from .connections import Connection, Side
from .messages import Head
from .rules import Rule

_BACKLOG = 4096  # connections that may wait to be accepted
_ERRORS = 5  # that are kept
_CONTROL_MOST = 4 * 1024 * 1024  # bytes of one line


class Relay:
    """Every listener, and the rules."""

    def __init__(self, upstreams: dict[int, tuple[str, int]]) -> None:
        self.upstreams = upstreams
        self.rules: dict[str, Rule] = {}
        self.seen = {port: {"requests": 0, "others": 0} for port in upstreams}
        self.errors: list[str] = []  # of our own

    def accept(self, port: int) -> Side:
        connection = Connection(self, port)
        # Where requests are answered here, the upstream is only asked for what is left.
        if not self.answers(port):
            connection.dial()
        return connection.client

    def answers(self, port: int) -> bool:
        """Return whether there are rules by which requests are answered here."""
        return any(rule.act == "answer" and port in rule.ports for rule in self.rules.values())

    def rule_for(self, port: int, method: str, target: str, head: Head) -> Rule | None:
        self.seen[port]["requests"] += 1
        for rule in self.rules.values():
            if port in rule.ports and rule.matches(method, target, head):
                rule.matched += 1
                if rule.picks():
                    return rule
        return None

    def control(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["do"] == "add":
            self.rules[told["id"]] = Rule(told["ports"], told["rule"])
            return {}
        if told["do"] == "remove":
            rule = self.rules.pop(told["id"], None)
            if rule is not None:
                rule.remove()
            return {}
        return {
            "rules": {
                name: {
                    "rule": rule.told,
                    "ports": rule.ports,
                    "matched": rule.matched,
                    "changed": rule.changed,
                    "first": rule.first,
                }
                for name, rule in self.rules.items()
            },
            "errors": self.errors,
            "seen": {str(port): counts for port, counts in self.seen.items()},
        }

    def failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what went wrong in here: nobody may blame a client or an upstream for it."""
        loop.default_exception_handler(context)
        if len(self.errors) < _ERRORS:
            self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    async def controlled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                try:
                    answer = self.control(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def serve(control: int, upstreams: dict[int, tuple[str, int]]) -> None:
    """Relay 127.0.0.1:PORT to each upstream (host, port), until killed."""
    relay = Relay(upstreams)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(relay.failed)
    for port in upstreams:
        accept = functools.partial(relay.accept, port)
        await loop.create_server(accept, "127.0.0.1", port, backlog=_BACKLOG)
    server = await asyncio.start_server(relay.controlled, None, control, limit=_CONTROL_MOST)
    await server.serve_forever()
