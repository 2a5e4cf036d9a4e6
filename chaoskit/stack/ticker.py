"""A ticker: takes one turn after another until told to stop, for faults that go on acting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from chaoskit.errors import ChaoskitError
from chaoskit.tasks import end

Turn = Callable[[], Awaitable[None]]


class Ticker:
    """Takes turns at set times in its own task; `stop` never interrupts a turn."""

    def __init__(self, turns: Iterator[tuple[float, Turn]]) -> None:
        """Start it. Each of `turns` is the seconds since the turn before, and the turn."""
        self.taken = 0
        self.problem: str | None = None  # why it stopped by itself
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._run(turns))

    @property
    def alive(self) -> bool:
        return not self._task.done() and not self._over.is_set()

    async def stop(self) -> None:
        """Take no more turns; returns when the one that is being taken is over."""
        self._over.set()
        await asyncio.wait([self._task])

    async def cancel(self) -> None:
        """Take no more turns; cuts one that is being taken."""
        await end(self._task)

    async def _run(self, turns: Iterator[tuple[float, Turn]]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for seconds, turn in turns:
            due += seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._over.wait()
            if self._over.is_set():
                return
            try:
                await turn()
            except ChaoskitError as error:
                self.problem = error.message
                return
            except Exception as error:  # noqa: BLE001  # a defect of ours: the read-back tells it
                self.problem = f"{type(error).__name__}: {error}"
                return
            self.taken += 1
