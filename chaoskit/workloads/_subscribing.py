"""Subscribers: clients that listen while the others publish, and connect again when they are cut.

A subscriber stays one process through all its connections: what it missed in between is a gap.
The end of a connection is an operation `subscribe` that ends `info` at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol, cast

from chaoskit.records import Json, Outcome
from chaoskit.workloads._base import Generator, Step, Subscriber, SubscriberGenerator
from chaoskit.workloads._client import Client
from chaoskit.workloads.operations._base import Feed, FeedEnded, Reply

_POLL = 0.02  # seconds between two looks at whether everything arrived


class DriverPort(Protocol):
    """What subscribers need of the driver."""

    async def perform(self, client: Client, step: Step) -> tuple[Outcome, Json]: ...

    def observe(
        self, client: Client, step: Step, outcome: Outcome, error: str | None = None
    ) -> None: ...

    def discard(self, client: Client, op: str, work: asyncio.Task[Reply] | None = None) -> None: ...


class _Subscribing(Generator, SubscriberGenerator, Protocol):
    """A generator of a workload with subscribers."""


class Subscriptions:
    """The subscribers of one workload; `timeout` is how many seconds the end may take."""

    def __init__(
        self,
        port: DriverPort,
        generator: _Subscribing,
        *,
        places: int,
        timeout: float,
    ) -> None:
        self._desk = port
        self._generator = generator
        self._timeout = timeout
        self._reconnect = generator.reconnect
        subscribers = generator.subscribers()
        self.clients = {Client(places + one.number): one for one in subscribers}
        self._first = [asyncio.Event() for _ in subscribers]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, stop: asyncio.Event) -> None:
        """Return when everyone tried to connect, or `stop` was set: then publishing may begin."""
        self._tasks = [
            asyncio.create_task(self._listen(client, subscriber, first))
            for (client, subscriber), first in zip(self.clients.items(), self._first, strict=True)
        ]
        stopped = asyncio.create_task(stop.wait())
        tried = asyncio.create_task(_all(self._first))
        await asyncio.wait({stopped, tried, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, tried):
            task.cancel()

    async def finish(self) -> None:
        """Return when all that was published arrived or `timeout` is over; then end all feeds.

        Raises what a subscriber's task raised: it is a defect of ours.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                # Whether all arrived is a question to the generator, not an event.
                while not self._over():  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
        await self.cut()

    def _over(self) -> bool:
        return self._generator.complete() or any(task.done() for task in self._tasks)

    async def cut(self) -> None:
        """Stop listening at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for client in self.clients:
            for op in list(client.sessions):
                self._desk.discard(client, op)

    async def _listen(self, client: Client, subscriber: Subscriber, first: asyncio.Event) -> None:
        again = False
        while True:
            outcome, _ = await self._desk.perform(client, subscriber.subscribe)
            first.set()
            if outcome == "ok":
                ended = await self._hear(client, subscriber, resync=again)
                self._desk.observe(client, subscriber.subscribe, "info", ended)
            self._desk.discard(client, subscriber.subscribe.op)
            again = True
            await asyncio.sleep(self._reconnect)

    async def _hear(self, client: Client, subscriber: Subscriber, *, resync: bool) -> str:
        """Record what a feed brings until it ends; return how it ended."""
        feed = cast("Feed", client.sessions[subscriber.subscribe.op])
        if resync:
            await self._resync(client, subscriber, feed)
        try:
            while True:
                event = self._generator.heard(subscriber, await feed.next())
                if event is not None:
                    key, value = event
                    step = Step("receive", write=False, key=key, value=value)
                    self._desk.observe(client, step, "ok")
        except FeedEnded as ended:
            return str(ended)

    async def _resync(self, client: Client, subscriber: Subscriber, feed: Feed) -> None:
        """Read back what was missed; what is sent meanwhile waits in the feed."""
        for step in self._generator.resyncs(subscriber):
            while True:
                outcome, value = await self._desk.perform(client, step)
                self._generator.ended(step, outcome, value)
                if outcome == "ok" or feed.over:
                    break
                await asyncio.sleep(self._reconnect)


async def _all(events: list[asyncio.Event]) -> None:
    for event in events:
        await event.wait()
