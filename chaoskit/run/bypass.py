"""Noticing a client that goes around its proxy: then the run proves nothing about that edge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chaoskit.errors import ChaoskitError
from chaoskit.fields import HOST
from chaoskit.record.events import Noted, RunEvent, RunUnproven
from chaoskit.record.writer import Recorder
from chaoskit.run.watches import watched
from chaoskit.stack.connections import Sockets, sockets_of
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

EVERY = 2.0  # seconds; the kernel remembers closed connections for 60


@dataclass(frozen=True, slots=True)
class _Table:
    """The sockets of all replicas of a service that could be read."""

    addresses: frozenset[str]
    sockets: Sequence[Sockets]
    unreadable: bool


class BypassWatch:
    """Looks at the TCP tables of proxied edges now and then, and says each thing once."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self._stack = stack
        self._recorder = recorder
        self._said: set[RunEvent] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look every few seconds until stopped."""
        work = watched("who connects to whom", self._watch(), self._recorder)
        self._task = asyncio.create_task(work)

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        pairs = {(p.client, p.upstream) for p in self._stack.proxies if p.client != HOST}
        try:
            found = await self._stack.containers.of(self._stack.project)
        except ChaoskitError:
            return  # the engine comes and goes under faults; the next look sees it
        tables: dict[str, _Table] = {}
        for service in {name for pair in pairs for name in pair}:
            mine = [c for c in found if c.state.service == service]
            read = [await sockets_of(self._stack.exec, container) for container in mine]
            addresses = {address for c in mine for address in c.addresses}
            tables[service] = _Table(
                frozenset(addresses), [one for one in read if one], None in read
            )
        for client, upstream in sorted(pairs):
            self._compare(client, upstream, tables[client], tables[upstream])

    def _compare(self, client: str, upstream: str, here: _Table, there: _Table) -> None:
        """Look for connections past the proxy on both ends: who closes one first remembers it."""
        ports = {p.port for p in self._stack.proxies_to(upstream)}.union(
            *(sockets.listening for sockets in there.sockets)
        )
        gone = any(
            row.remote_ip in there.addresses and row.remote_port in ports
            for sockets in here.sockets
            for row in sockets.connections
        )
        came = any(
            row.remote_ip in here.addresses and row.local_port in ports
            for sockets in there.sockets
            for row in sockets.connections
        )
        if gone or came:
            text = f"`{client}` connected straight to `{upstream}`, around its proxy"
            self._say(RunUnproven(text))
        elif here.unreadable and there.unreadable:
            text = (
                f"whether `{client}` goes around its proxy to `{upstream}` could not be checked:"
                " their TCP tables cannot be read"
            )
            self._say(Noted(text))

    def _say(self, event: Noted | RunUnproven) -> None:
        if event not in self._said:
            self._said.add(event)
            self._recorder.emit(event)
