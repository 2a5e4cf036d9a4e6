"""`disconnect`: what comes back, and which paths are closed meanwhile."""

from __future__ import annotations

from typing import Any

from chaoskit.docker.networks import Endpoint
from chaoskit.faults import REGISTRY, Fault
from tests.fakes.fake_world import PROJECT, World
from tests.unit.stack.conftest import MakeProject
from tests.unit.stack.conftest import project as project  # a fixture

DEFAULT = f"{PROJECT}_default"


def off(**fields: Any) -> Fault:
    found = REGISTRY.get("disconnect")
    assert found is not None
    body = {"fault": "disconnect", "id": "off", "service": "redis", "network": "default"}
    return found.model_validate({**body, **fields})


async def test_its_proxies_are_closed_while_there_is_no_other_way(world: World) -> None:
    world.service("chat")
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    stack = await world.stack()
    made = off()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert not (await stack.state_of(stack.proxies[0])).enabled
    await made.heal(stack, undo)
    assert (await stack.state_of(stack.proxies[0])).enabled


async def test_a_proxy_that_reaches_it_over_another_network_stays_open(world: World) -> None:
    world.service("chat")
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    for service in ("redis", "chaoskit-chat"):
        world.engine.networks.join(world.engine.of(service)[0].id, "side")
    stack = await world.stack()
    made = off()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert (await stack.state_of(stack.proxies[0])).enabled
    await made.heal(stack, undo)


async def test_its_own_way_out_is_closed_too(world: World) -> None:
    world.service("redis")
    world.service("chat")
    await world.proxy("redis", "chat", 80)
    for service in ("redis", "chaoskit-redis"):  # it can still reach its proxy over `side`
        world.engine.networks.join(world.engine.of(service)[0].id, "side")
    stack = await world.stack()
    made = off()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert not (await stack.state_of(stack.proxies[0])).enabled
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds


async def test_an_alias_that_is_missing_is_not_healed(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = off()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.engine.networks.join(world.engine.of("redis")[0].id, DEFAULT)
    receipt = await made.verify_healed(stack, undo)
    assert not receipt.holds
    assert "aliases none instead of redis" in receipt.detail


def test_a_service_that_is_not_on_the_network_is_refused_before_anything_starts(
    project: MakeProject,
) -> None:
    stack = project({"redis": {"networks": ["back"]}})
    assert off(network="back").impossible_because(stack) is None
    assert off(network="run-1_back").impossible_because(stack) is None
    assert off(network="front").impossible_because(stack) == (
        "`redis` is not on a network `front` (it is on: back)"
    )


def test_an_endpoint_survives_the_ledger() -> None:
    one = Endpoint("net", "id", ("a", "b"), ("x:y",), (("k", "v"),), "10.0.0.9", address="10.0.0.9")
    assert Endpoint.read(one.body()) == one
    assert one.differs(one) == []
