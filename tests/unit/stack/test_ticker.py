"""A ticker takes its turns until it is told to stop, or says why it stopped by itself."""

from __future__ import annotations

import asyncio
from itertools import repeat

import pytest

from chaoskit.errors import FaultFailed
from chaoskit.stack.ticker import Ticker
from tests.fakes.virtual_time import now, virtual


@virtual
async def test_turns_are_taken_at_their_times_whatever_each_takes() -> None:
    taken = []

    async def turn() -> None:
        taken.append(now())
        await asyncio.sleep(1)

    ticker = Ticker(repeat((3.0, turn)))
    await asyncio.sleep(10.5)
    assert ticker.alive
    await ticker.stop()
    assert (taken, ticker.taken, ticker.alive) == ([3, 6, 9], 3, False)


@pytest.mark.parametrize(
    ("error", "problem"),
    [(FaultFailed("no proxy"), "no proxy"), (TypeError("a defect"), "TypeError: a defect")],
)
def test_a_turn_that_fails_stops_it_and_says_why(error: Exception, problem: str) -> None:
    @virtual
    async def case() -> None:
        async def turn() -> None:
            raise error

        ticker = Ticker(repeat((1.0, turn)))
        await asyncio.sleep(2)
        assert (ticker.alive, ticker.problem) == (False, problem)
        await ticker.stop()

    case()


@virtual
async def test_cancelled_it_cuts_the_turn_that_is_being_taken() -> None:
    ticker = Ticker(repeat((1.0, lambda: asyncio.sleep(100))))
    await asyncio.sleep(2)
    await ticker.cancel()
    assert (ticker.alive, ticker.taken, now()) == (False, 0, 2)
