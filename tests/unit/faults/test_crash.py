"""`crash`: proven only when the restart policy acted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaoskit.errors import FaultFailed
from tests.fakes.fake_world import World
from tests.unit.faults.service_cases import fault, project


@pytest.mark.parametrize("policy", [None, "no"])
def test_without_a_restart_policy_it_is_refused_before_anything_starts(policy: str | None) -> None:
    said = fault("crash").impossible_because(project(restart=policy))
    assert said is not None
    assert "the stack has no restart policy for `redis`: nothing would bring it back" in said


@pytest.mark.parametrize(
    "policy",
    [
        {"restart": "always"},
        {"restart": "on-failure:3"},
        {"restart": "unless-stopped"},
        {"deploy": {"restart_policy": {"condition": "any"}}},
    ],
)
def test_with_a_restart_policy_nothing_stands_in_its_way(policy: dict[str, Any]) -> None:
    assert fault("crash").impossible_because(project(**policy)) is None


def test_a_deployment_that_never_restarts_counts_as_none() -> None:
    deploy = {"restart_policy": {"condition": "none"}}
    assert fault("crash").impossible_because(project(deploy=deploy)) is not None


async def test_a_policy_that_did_not_act_is_said_and_the_heal_starts_it(world: World) -> None:
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    before = world.state()
    stack = await world.stack()
    made = fault("crash", within="60ms")
    undo = await made.prepare(stack)
    (one,) = world.engine.of("redis")
    world.engine.add(replace(one, restarts=False))
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "exited (137): its restart policy did not bring it back within 60ms" in receipt.detail
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds
    assert world.state() == before


async def test_somebody_else_starting_it_is_not_the_restart_policy(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("crash")
    undo = await made.prepare(stack)
    (one,) = world.engine.of("redis")
    await world.engine.containers.kill(one.id)
    await world.engine.containers.start(one.id)
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "started by something other than its restart policy" in receipt.detail


async def test_a_container_without_a_policy_is_not_killed(world: World) -> None:
    world.service("redis")
    (one,) = world.engine.of("redis")
    world.engine.add(replace(one, restarts=False))
    with pytest.raises(FaultFailed, match="has no restart policy"):
        await fault("crash").prepare(await world.stack())
