"""The loop that other tests trust with their times."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes import virtual_time
from tests.fakes.virtual_time import Deadlock, virtual


@virtual
async def test_time_jumps_from_timer_to_timer_and_sums_are_exact() -> None:
    seen: list[float] = []

    async def ticks(every: float, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(every)
            seen.append(virtual_time.now())

    await asyncio.gather(ticks(0.1, 6), ticks(0.25, 2), ticks(86_400 * 3, 1))
    assert seen == [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.5, 0.6, 259_200]


@virtual
async def test_a_run_clock_counts_from_where_it_was_made() -> None:
    await asyncio.sleep(3)
    clock = virtual_time.clock()
    await clock.sleep_until(1.5)
    assert (clock.now(), virtual_time.now()) == (1.5, 4.5)


@virtual
async def test_a_stalled_loop_is_late_for_its_timers() -> None:
    asyncio.get_running_loop().call_later(1, virtual_time.stall, 5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await asyncio.sleep(60)
    assert virtual_time.now() == 6


def test_waiting_for_what_never_comes_is_an_error() -> None:
    @virtual
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        forever()


@virtual
async def test_a_thread_is_refused() -> None:
    with pytest.raises(AssertionError):
        await asyncio.to_thread(print)
