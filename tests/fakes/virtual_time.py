"""An event loop whose time jumps to the next timer as soon as nothing is ready.

A second of it takes no time, and no stall of the machine adds to it: what a test sees of counts
and times is exact, and the same every time.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, ParamSpec, TypeVar, TypeVarTuple

from chaoskit.clock import Clock

DIGITS = 9  # of a second: sums of timers end on the number that a reader would write

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Deadlock(Exception):
    """Nothing is ready, and no timer is set: a real loop would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop without threads and sockets, starting at 0 s."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_NeverBlocks(self.advance))

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass at once. Called from a callback, it is what blocks the loop so long."""
        self._now = round(self._now + seconds, DIGITS)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        raise AssertionError("a thread takes real time")


class _NeverBlocks(selectors.DefaultSelector):
    """Waits by telling how long it would have waited."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events:
            return events
        if timeout is None:
            raise Deadlock("nothing is ready, and no timer is set")
        self._advance(timeout)
        return []


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test in virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Return the virtual time, in seconds since the test began."""
    return asyncio.get_running_loop().time()


def clock() -> Clock:
    """Return a run clock that starts now and follows virtual time."""
    return Clock(asyncio.get_running_loop().time)


def stall(seconds: float) -> None:
    """Block the loop, as a busy process does."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.advance(seconds)
