"""Closing connections in the background, each within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

BOUND = 2.0  # seconds one close may take before it is given up
_GRACE = 0.05  # seconds for a call to notice that its connection is gone, before it is cancelled


class Closable(Protocol):
    """Anything with a connection to close."""

    async def close(self) -> None: ...


class Closing:
    """Closes sessions in the background; `drain` waits for those still closing."""

    def __init__(self, bound: float = BOUND) -> None:
        self._bound = bound
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, session: Closable) -> None:
        """Close an idle session."""
        self._start(None, lambda: session)

    def abandon(self, work: asyncio.Task[Any], session: Callable[[], Closable | None]) -> None:
        """Throw away a call that ran past its deadline, together with its session.

        The session is closed first and the call cancelled after it: cancelling psycopg in the
        middle of a query would wait up to 10 s for the server.
        """
        work.add_done_callback(_forget)
        self._start(work, session)

    async def drain(self) -> None:
        """Return when everything is closed, or was given up."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _start(
        self, work: asyncio.Task[Any] | None, session: Callable[[], Closable | None]
    ) -> None:
        task = asyncio.create_task(self._close(work, session))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close(
        self, work: asyncio.Task[Any] | None, session: Callable[[], Closable | None]
    ) -> None:
        first = session()
        if first is not None:
            await self._bounded(first)
        if work is None:
            return
        await asyncio.wait({work}, timeout=_GRACE if first is not None else 0)
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=self._bound)
        late = session()
        if late is not None and late is not first:  # it was still connecting
            await self._bounded(late)

    async def _bounded(self, session: Closable) -> None:
        with suppress(Exception):  # nobody is left to whom a failed close would matter
            async with asyncio.timeout(self._bound):
                await session.close()


def _forget(work: asyncio.Task[Any]) -> None:
    if not work.cancelled():
        work.exception()
