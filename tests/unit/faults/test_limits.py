"""`cpu` and `memory`: bounds, what is refused, and when somebody felt it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.docker.limits import _limits as read_limits
from chaoskit.errors import FaultFailed
from tests.fakes.fake_services import IDLE, UNLIMITED
from tests.fakes.fake_world import World
from tests.fakes.stored_undo import stored
from tests.unit.faults.service_cases import fault

NAME = "run-1-redis-1"
MIB = 1024**2


@pytest.mark.parametrize(
    ("kind", "limit", "says"),
    [
        ("cpu", "0%", "at least 1% of a core"),
        ("cpu", "0.9%", "at least 1% of a core"),
        ("cpu", "101%", "above 100%"),
        ("cpu", 0.2, "percentage such as"),
        ("memory", "5MiB", "greater than or equal"),
        ("memory", 1000, "size such as"),
        ("memory", "-1MiB", "size such as"),
    ],
)
def test_limits_have_bounds(kind: str, limit: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault(kind, limit=limit)


@pytest.mark.parametrize(
    ("host", "cores", "memory"),
    [
        ({}, None, None),
        ({"CpuQuota": -1, "Memory": 9223372036854771712, "MemorySwap": -1}, None, None),
        ({"NanoCpus": 500_000_000, "Memory": 64 * MIB}, 0.5, 64 * MIB),
        ({"CpuQuota": 5000, "CpuPeriod": 50_000}, 0.1, None),
    ],
)
def test_what_the_engine_shows_for_no_limit_is_no_limit(
    host: dict[str, int], cores: float | None, memory: int | None
) -> None:
    found = read_limits(host)
    assert (found.cores, found.memory, found.memory_and_swap) == (cores, memory, None)


@pytest.mark.parametrize(
    ("kind", "limit", "now", "says"),
    [
        ("cpu", "20%", {"cores": 0.2}, "limited to 0.2 of a core already"),
        ("memory", "64MiB", {"memory": 64 * MIB}, "limited to 64 MiB already"),
        ("memory", "64MiB", {"memory_reserved": 65 * MIB}, "has 65 MiB reserved"),
    ],
)
async def test_a_limit_that_would_not_lower_anything_is_refused(
    world: World, kind: str, limit: str, now: dict[str, Any], says: str
) -> None:
    world.service("redis")
    world.engine.limits.all[NAME] = replace(UNLIMITED, **now)
    with pytest.raises(FaultFailed, match=says):
        await fault(kind, limit=limit).prepare(await world.stack())


@pytest.mark.parametrize(("kind", "limit"), [("cpu", "20%"), ("memory", "16MiB")])
async def test_a_limit_of_the_service_s_own_comes_back(world: World, kind: str, limit: str) -> None:
    world.service("redis", replicas=2)
    own = replace(UNLIMITED, cores=0.7, memory=99 * MIB, memory_and_swap=120 * MIB)
    world.engine.limits.all[NAME] = own
    stack = await world.stack()
    made = fault(kind, limit=limit)
    undo = stored(await made.prepare(stack))
    await made.inject(stack, undo)
    assert world.engine.limits.all[NAME] != own
    await made.heal(await world.stack(), undo)
    assert (await made.verify_healed(stack, undo)).holds
    assert world.engine.limits.all[NAME] == own
    assert world.engine.limits.all["run-1-redis-2"] == UNLIMITED


@pytest.mark.parametrize(("kind", "limit"), [("cpu", "20%"), ("memory", "16MiB")])
async def test_one_fault_at_a_time_has_a_limit(world: World, kind: str, limit: str) -> None:
    world.service("redis", replicas=2)
    stack = await world.stack()
    first = fault(kind, limit=limit, id="first", replica=1)
    second = fault(kind, limit=limit, id="second")
    undo = await first.prepare(stack)
    with pytest.raises(FaultFailed, match="limited by fault `first` now"):
        await second.prepare(stack)
    await fault(kind, limit=limit, id="third", replica=2).prepare(stack)
    await first.heal(stack, undo)
    await fault(kind, limit=limit, id="fourth", replica=1).prepare(stack)


@pytest.mark.parametrize(
    ("used", "holds", "says"),
    [
        (IDLE, False, "never wanted more than 20% of a core"),
        (
            replace(IDLE, periods=40, throttled_periods=30, throttled_seconds=1.5),
            True,
            "was throttled in 30 of 40 periods and waited 1.5s for a processor",
        ),
    ],
)
async def test_a_cpu_limit_is_felt_by_whoever_was_throttled(
    world: World, used: Any, holds: bool, says: str
) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("cpu", limit="20%")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.engine.limits.used[NAME] = used
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert effect.holds is holds
    assert says in effect.detail


async def memory_effect(world: World, **state: Any) -> Any:
    stack = await world.stack()
    made = fault("memory", limit="16MiB")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    (one,) = world.engine.of("redis")
    for action in state.pop("events", ()):
        world.engine.history.add(one.state, action)
    world.engine.limits.used[NAME] = replace(IDLE, **state.pop("used", {}))
    world.engine.add(replace(one, state=replace(one.state, **state)))
    effect = await made.effect(stack, undo)
    await made.heal(stack, undo)
    healed = await made.verify_healed(stack, undo)
    assert healed.holds, healed.detail
    return effect


async def test_a_memory_limit_that_nobody_came_near_was_not_felt(world: World) -> None:
    world.service("redis")
    effect = await memory_effect(world, used={"memory": 8 * MIB})
    assert not effect.holds
    assert effect.detail.endswith("uses 8 MiB of 16 MiB")


async def test_what_the_kernel_killed_is_counted_and_started_again(world: World) -> None:
    world.service("redis")
    before = world.state()
    effect = await memory_effect(
        world, events=["oom", "die", "start", "oom"], status="exited", oom_killed=True
    )
    assert effect.holds
    assert "ran out of memory 2 times, was started again once and is down" in effect.detail
    assert world.state() == before


async def test_pressure_counts_as_felt(world: World) -> None:
    world.service("redis")
    effect = await memory_effect(world, used={"memory": 12 * MIB, "limit_hits": 7})
    assert effect.holds
    assert "refused memory at first 7 times" in effect.detail


async def test_healing_a_memory_limit_leaves_what_another_fault_stopped(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("memory", limit="16MiB")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await world.engine.containers.kill(world.engine.of("redis")[0].id)
    await made.heal(stack, undo)
    assert world.engine.of("redis")[0].state.status == "exited"


async def test_memory_that_the_kernel_cannot_take_away_is_said_in_words(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("memory", limit="16MiB")
    undo = await made.prepare(stack)
    world.engine.limits.busy = True
    world.engine.limits.used[NAME] = replace(IDLE, memory=90 * MIB)
    with pytest.raises(FaultFailed, match="uses 90 MiB already, and this kernel"):
        await made.inject(stack, undo)
