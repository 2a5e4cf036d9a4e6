"""Which replicas a service fault hits."""

from __future__ import annotations

from typing import Any

import pytest

from chaoskit.errors import FaultFailed
from chaoskit.stack.stack import Stack
from tests.fakes.fake_world import PROJECT, World
from tests.fakes.stored_undo import stored
from tests.unit.faults.service_cases import fault

KINDS: dict[str, dict[str, Any]] = {
    "kill": {},
    "pause": {},
    "crash": {},
    "cpu": {"limit": "20%"},
    "memory": {"limit": "16MiB"},
    "disk_full": {"mount": "/data"},
    "signal": {"signal": "SIGHUP", "watch": "20ms"},
    "recreate": {"volumes": "keep"},
    "stress": {},
}


async def chosen(world: World, replica: object, seed: int = 0, id: str = "it") -> list[int]:
    stack = await world.stack()
    stack.seed = seed
    undo = await fault("kill", replica=replica, id=id).prepare(stack)
    return [row.replica for row in undo.replicas]


@pytest.mark.parametrize(
    ("replica", "count"),
    [(3, 1), ("any", 1), ("1%", 1), ("50%", 3), ("49%", 2), ("100%", 5), (None, 5)],
)
async def test_so_many_replicas_are_hit(world: World, replica: object, count: int) -> None:
    world.service("redis", replicas=5)
    numbers = await chosen(world, replica)
    assert len(numbers) == count
    assert numbers == sorted(set(numbers))
    assert replica != 3 or numbers == [3]


async def test_the_seed_and_the_fault_choose_and_nothing_else(world: World) -> None:
    world.service("redis", replicas=9)
    assert await chosen(world, "any", 1) == await chosen(world, "any", 1)
    by_seed = {tuple(await chosen(world, "any", seed)) for seed in range(30)}
    by_fault = {tuple(await chosen(world, "any", 1, f"f{n}")) for n in range(30)}
    assert len(by_seed) > 4
    assert len(by_fault) > 4


async def test_what_is_down_is_not_chosen_at_random(world: World) -> None:
    world.service("redis", replicas=2)
    await world.engine.containers.kill(world.engine.of("redis")[0].id)
    assert [await chosen(world, "any", seed) for seed in range(6)] == [[2]] * 6
    with pytest.raises(FaultFailed, match="exited, not running"):
        await chosen(world, 1)
    with pytest.raises(FaultFailed, match=r"`redis\[7\]` has no container"):
        await chosen(world, 7)
    await world.engine.containers.kill(world.engine.of("redis")[1].id)
    with pytest.raises(FaultFailed, match="no replica of `redis` is running"):
        await chosen(world, "any")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_undo_names_the_chosen_one_and_another_process_heals_it(
    kind: str, world: World
) -> None:
    world.service("redis", replicas=3)
    await world.proxy("chat", "redis", 6379)
    before = world.state()
    stack = await world.stack()
    made = fault(kind, replica="any", **KINDS[kind])
    undo = stored(await made.prepare(stack))
    assert len(undo.replicas) == 1
    assert undo.whole is False
    await made.inject(stack, undo)
    assert world.state()["proxies"] == before["proxies"]
    another = Stack(stack.engine, PROJECT, seed=99)  # the seed plays no part any more
    await another.attach()
    await made.heal(another, undo)
    assert (await made.verify_healed(another, undo)).holds
    assert world.state() == before
    await another.close()


async def test_all_replicas_by_share_close_the_paths_like_the_whole_service(world: World) -> None:
    world.service("redis", replicas=2)
    await world.proxy("chat", "redis", 6379)
    stack = await world.stack()
    made = fault("kill", replica="100%")
    await made.inject(stack, await made.prepare(stack))
    assert not (await stack.state_of(stack.proxies[0])).enabled


def test_the_target_says_which() -> None:
    assert fault("kill", replica="any").target == "redis[any]"
    assert fault("kill", replica="50%").target == "redis[50%]"
    assert fault("kill", replica=2).target == "redis[2]"
