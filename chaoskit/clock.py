"""The run's one clock: monotonic seconds from the start of the run, and one wall time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
_APART = 1.0  # seconds; what a clock that is slewed may gain is far less
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Seconds since this clock was made, on CLOCK_MONOTONIC, plus the wall time of its start.

    `seconds` is where they come from; tests give the time of an event loop that jumps.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self.started_at = datetime.now(UTC)
        self._seconds = seconds
        self._zero = seconds()

    @classmethod
    def resumed(cls, started_at: datetime, origin: str) -> Clock:
        """Return the clock of a run that another process started, on the same machine: exact until
        it boots again, and by the wall clock after that. `origin` is what it said of itself."""
        clock = cls()
        boot, _, zero = origin.partition(" ")
        if boot and boot == _boot():
            clock._zero = float(zero)
        else:
            clock._zero -= (clock.started_at - started_at).total_seconds()
        clock.started_at = started_at
        return clock

    @property
    def origin(self) -> str:
        """What another process needs to go on with this clock."""
        return f"{_boot()} {self._zero:.6f}"

    def jump(self) -> str | None:
        """Return a sentence when the wall clock and this one went apart since the start, else None:
        then what others stamped meanwhile has no place on this clock."""
        apart = (datetime.now(UTC) - self.started_at).total_seconds() - self.now()
        if abs(apart) < _APART:
            return None
        way = "forward" if apart > 0 else "back"
        return (
            f"the machine's clock went {abs(apart):.0f} s {way} during the run (it was set, or the "
            "machine slept), so log lines and engine events cannot be placed"
        )

    def now(self) -> float:
        return self._seconds() - self._zero

    def at(self, wall: datetime) -> float:
        """Return the run-clock time of a wall time: only for what others stamped (logs)."""
        return (wall - self.started_at).total_seconds()

    def wall(self, t: float) -> datetime:
        return self.started_at + timedelta(seconds=t)

    async def sleep_until(self, t: float) -> None:
        """Return at run-clock time `t`, at once when it has passed."""
        await asyncio.sleep(max(0.0, t - self.now()))


async def until(
    look: Callable[[], Awaitable[T]],
    *,
    within: float,
    every: float,
    met: Callable[[T], object] = bool,
) -> T:
    """Look again and again until what is seen is as wanted; return what was seen last.

    `met` says whether it is as wanted: by default, whether it is true. Looks once at least, `every`
    seconds apart, and for the last time when `within` seconds are over: the caller decides
    what it means when it is not as wanted even then. What `look` raises ends it.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + within
    while True:
        seen = await look()
        left = ends - loop.time()
        if met(seen) or left <= 0:
            return seen
        await asyncio.sleep(min(every, left))


def _boot() -> str:
    """Return which boot of this machine CLOCK_MONOTONIC counts from, empty where unknown."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text().strip()
    return ""


def parse_stamp(stamp: str) -> datetime | None:
    """Parse the engine's RFC 3339 time with up to nanoseconds; None when it is not one."""
    try:
        return datetime.fromisoformat(stamp.rstrip("Z")[:26]).replace(tzinfo=UTC)
    except ValueError:
        return None
