"""Tasks and calls that must not be left alone: whoever started them sees how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and return when it has ended; raises what it raised by itself."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def together(*work: Awaitable[T]) -> list[T]:
    """Await all of it side by side, to the end: only then is the first failure raised.

    Else whoever caught that one would go on, to heal for example, while the others still act.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)


async def whole(work: Awaitable[T], undo: Callable[[T], Awaitable[object]]) -> T:
    """Await what cannot be taken back half-way, such as a connection that a thread opens.

    Cancelled meanwhile, it waits for its end all the same, undoes it and is cancelled then.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.shield(_undone(task, undo))
        raise


async def _undone(task: asyncio.Future[T], undo: Callable[[T], Awaitable[object]]) -> None:
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())
