"""Tasks that are ended, and calls that cannot be taken back half-way."""

from __future__ import annotations

import asyncio

import pytest

from chaoskit.tasks import end, together, whole
from tests.fakes.virtual_time import now, virtual


@virtual
async def test_a_task_has_ended_when_end_returns() -> None:
    left = []

    async def work() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)  # what it still has to put back
            left.append("put back")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end(task)
    assert (left, now()) == (["put back"], 1)


@virtual
async def test_what_a_task_raised_by_itself_is_raised() -> None:
    async def work() -> None:
        raise TypeError("a defect")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    with pytest.raises(TypeError, match="a defect"):
        await end(task)


@virtual
async def test_what_was_opened_while_nobody_wants_it_any_more_is_closed() -> None:
    closed = []

    async def opening() -> str:
        await asyncio.sleep(3)
        return "a connection"

    async def close(connection: str) -> None:
        closed.append(connection)

    task = asyncio.create_task(whole(opening(), close))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (closed, now()) == (["a connection"], 3)


@virtual
async def test_one_that_could_not_be_opened_leaves_nothing_to_close() -> None:
    async def opening() -> str:
        raise OSError("refused")

    async def close(connection: str) -> None:
        raise AssertionError("there is nothing to close")

    with pytest.raises(OSError, match="refused"):
        await whole(opening(), close)


@virtual
async def test_a_failure_is_raised_when_the_others_have_ended_too() -> None:
    async def fails() -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await together(asyncio.sleep(3), fails(), asyncio.sleep(5))
    assert now() == 5


@virtual
async def test_what_is_done_together_returns_its_results_in_order() -> None:
    assert await together(asyncio.sleep(2, "slow"), asyncio.sleep(1, "quick")) == ["slow", "quick"]
