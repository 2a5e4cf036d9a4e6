"""Noticing a client that goes around its proxy: then the run proves nothing about that edge."""

from __future__ import annotations

import asyncio

from chaoskit.errors import ChaoskitError
from chaoskit.fields import HOST
from chaoskit.record.events import Noted, RunEvent, RunUnproven
from chaoskit.record.writer import Recorder
from chaoskit.run.watches import watched
from chaoskit.stack.connections import connections_of, towards
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

EVERY = 5.0  # seconds; the kernel remembers closed connections for 60


class BypassWatch:
    """Looks at the TCP tables of proxied clients now and then, and says each thing once."""

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
        for client, upstream in sorted(pairs):
            try:
                await self._look_at(client, upstream)
            except ChaoskitError:
                continue  # containers come and go under faults; the next look sees them

    async def _look_at(self, client: str, upstream: str) -> None:
        containers, project = self._stack.containers, self._stack.project
        addresses = [
            address for c in await containers.of(project, upstream) for address in c.addresses
        ]
        ports = [p.port for p in self._stack.proxies_to(upstream)]
        for container in await containers.of(project, client):
            rows = await connections_of(self._stack.exec, container)
            if rows is None:
                text = (
                    f"whether `{client}` goes around its proxy could not be checked:"
                    " its TCP table cannot be read"
                )
                self._say(Noted(text))
            elif towards(rows, addresses, ports):
                text = f"`{client}` connected straight to `{upstream}`, around its proxy"
                self._say(RunUnproven(text))

    def _say(self, event: Noted | RunUnproven) -> None:
        if event not in self._said:
            self._said.add(event)
            self._recorder.emit(event)
