"""`flap`: its bounds, its seeded beat, and what its receipts say."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from pydantic import ValidationError

from chaoskit.faults.engines.toxics import EdgeUndo
from chaoskit.faults.flap import Flap
from tests.fakes.fake_world import World
from tests.unit.faults.edge_kinds import OPEN, made


@pytest.mark.parametrize(
    ("up", "down", "says"),
    [
        ("99ms", "1s", "greater than or equal"),
        ("1s", "0s", "greater than or equal"),
        ("1s", "601s", "less than or equal"),
        (1, "1s", "needs a unit"),
    ],
)
def test_it_refuses_spells_that_are_too_short_or_too_long(
    up: object, down: object, says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        made("flap", up=up, down=down)


def test_a_plain_port_can_feel_it() -> None:
    assert made("flap", up="1s", down="1s").canary().blind(OPEN) is None


async def test_the_seed_decides_the_beat_and_every_spell_is_near_what_was_asked(
    world: World,
) -> None:
    await world.proxy("chat", "redis", 6379)
    flap = made("flap", up="2s", down="1s")
    assert isinstance(flap, Flap)
    stack = await world.stack()

    def spells(seed: int) -> list[float]:
        stack.seed = seed
        turns = flap._turns(stack, EdgeUndo(holder="f", rows=()))
        return [seconds for seconds, _ in itertools.islice(turns, 20)]

    assert spells(1) == spells(1) != spells(2)
    assert all(0.5 <= down <= 1.5 for down in spells(1)[::2])
    assert all(1 <= up <= 3 for up in spells(1)[1::2])


async def test_a_beat_that_breaks_is_not_called_in_force(world: World) -> None:
    await world.proxy("chat", "redis", 6379)
    before = world.state()
    stack = await world.stack()
    flap = made("flap", up="100ms", down="100ms")
    undo = await flap.prepare(stack)
    await flap.inject(stack, undo)
    world.fuse.blows_at = world.fuse.changes + 1
    beat = stack.tickers["f"]
    await beat._task
    receipt = await flap.verify_injected(stack, undo)
    assert not receipt.holds
    assert "blown" in receipt.detail
    await flap.heal(stack, undo)
    assert (await flap.verify_healed(stack, undo)).holds
    assert world.state() == before


async def test_it_counts_its_turns_and_stops_with_its_heal(world: World) -> None:
    await world.proxy("chat", "redis", 6379)
    before = world.state()
    stack = await world.stack()
    flap = made("flap", up="100ms", down="100ms")
    undo = await flap.prepare(stack)
    await flap.inject(stack, undo)
    beat = stack.tickers["f"]
    while beat.taken < 3:
        await asyncio.sleep(0.01)
    receipt = await flap.verify_injected(stack, undo)
    assert receipt.holds
    assert "times so far" in receipt.detail
    await flap.heal(stack, undo)
    assert not beat.alive
    assert world.state() == before
