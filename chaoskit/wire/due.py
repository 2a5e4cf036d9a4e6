"""Waiting for a due time that may never come."""

from __future__ import annotations

import asyncio

from chaoskit.clock import Clock


async def until(due: float, clock: Clock, stop: asyncio.Event) -> bool:
    """Wait for run-clock time `due`; return False when `stop` was set before it."""
    delay = due - clock.now()
    if delay <= 0:
        await asyncio.sleep(0)
        return not stop.is_set()
    try:
        async with asyncio.timeout(delay):
            await stop.wait()
    except TimeoutError:
        return True
    return False
