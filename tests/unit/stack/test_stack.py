"""The stack over fake servers: read-back, holders, wedged proxies, restarted containers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from chaoskit.errors import EnvironmentFailure, FaultFailed
from chaoskit.fields import Edge, Target
from chaoskit.stack.proxy import API_PORT
from chaoskit.stack.toxiproxy import Toxic, ToxiproxyUnreachable
from tests.fakes.fake_toxiproxy import FakeToxiproxy
from tests.fakes.fake_world import World

SLOW = Toxic("slow.downstream", "latency", "downstream", {"latency": 300, "jitter": 0})
HOLE = Toxic("hole.upstream", "timeout", "upstream", {"timeout": 0})


@pytest.fixture
async def chat(world: World) -> World:
    """A world with the edge `chat -> redis` behind a proxy."""
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    return world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a wedged proxy be noticed soon: its server gives up, our own deadline is long."""
    monkeypatch.setattr(FakeToxiproxy, "patience", 0.02)


async def restart(world: World, service: str) -> FakeToxiproxy:
    """Let a proxy container come back on another API port, with its proxies and no toxics."""
    old = world.servers[service]
    await old.stop()
    new = world.servers[service] = FakeToxiproxy(world.fuse)
    new.proxies = {name: {**proxy, "toxics": []} for name, proxy in old.proxies.items()}
    (container,) = world.engine.of(service)
    published = {**container.published, API_PORT: await new.start()}
    world.engine.add(replace(container, published=published))
    return new


async def test_attaching_reads_every_proxy_from_the_labels(chat: World) -> None:
    await chat.proxy("host", "redis", 6379)
    stack = await chat.stack()
    assert {(str(p.edge), p.listen) for p in stack.proxies} == {
        ("chat -> redis:6379", 6379),
        ("host -> redis:6379", 20001),
    }
    assert stack.address(Target("redis", 6379)) == ("127.0.0.1", 1)
    assert [str(p.edge) for p in stack.proxies_of(Edge("chat", "redis"))] == ["chat -> redis:6379"]
    assert len(stack.proxies_to("redis")) == 2
    with pytest.raises(EnvironmentFailure, match="no route"):
        stack.address(Target("chat", 80))
    with pytest.raises(FaultFailed, match="has no proxy"):
        stack.proxies_of(Edge("chat", "redis", 7))


async def test_containers_are_found_by_service_and_replica(world: World) -> None:
    world.service("redis", replicas=2)
    stack = await world.stack()
    assert [c.name for c in await stack.replicas("redis")] == ["run-1-redis-1", "run-1-redis-2"]
    assert [c.name for c in await stack.replicas("redis", 2)] == ["run-1-redis-2"]
    with pytest.raises(FaultFailed, match=r"`redis\[3\]` has no container"):
        await stack.replicas("redis", 3)


async def test_a_toxic_the_server_understood_differently_is_an_error(chat: World) -> None:
    stack = await chat.stack()
    typo = replace(SLOW, attributes={"latncy": 300, "jitter": 0})
    with pytest.raises(FaultFailed, match="latncy"):
        await stack.add_toxic(stack.proxies[0], typo)


@pytest.mark.usefixtures("impatient")
async def test_removing_a_toxic_from_a_wedged_proxy_keeps_the_toxics_of_others(
    chat: World,
) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await stack.add_toxic(proxy, SLOW)
    await stack.add_toxic(proxy, HOLE)
    chat.servers["chaoskit-chat"].wedged.add("redis_6379")
    await stack.remove_toxics(proxy, [SLOW.name])
    state = await stack.state_of(proxy)
    assert state.toxics == (HOLE,)
    assert state.enabled


@pytest.mark.usefixtures("impatient")
async def test_a_wedged_proxy_that_is_held_closed_stays_closed(chat: World) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await stack.add_toxic(proxy, SLOW)
    await stack.close_proxies([proxy], "kill")
    chat.servers["chaoskit-chat"].wedged.add("redis_6379")
    await stack.remove_toxics(proxy, [SLOW.name])
    state = await stack.state_of(proxy)
    assert (state.enabled, state.toxics) == (False, ())


@pytest.mark.usefixtures("impatient")
async def test_a_wedged_proxy_can_be_closed_and_opened_and_keeps_its_toxics(chat: World) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await stack.add_toxic(proxy, SLOW)
    for change, enabled in ((stack.close_proxies, False), (stack.open_proxies, True)):
        chat.servers["chaoskit-chat"].wedged.add("redis_6379")
        await change([proxy], "refuse")
        state = await stack.state_of(proxy)
        assert (state.enabled, state.toxics) == (enabled, (SLOW,))


async def test_a_proxy_opens_when_its_last_holder_lets_go(chat: World) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await stack.close_proxies([proxy], "one")
    await stack.close_proxies([proxy], "two")
    assert stack.closed_by_others(proxy, "one")
    await stack.open_proxies([proxy], "one")
    assert not (await stack.state_of(proxy)).enabled
    await stack.open_proxies([proxy], "two")
    assert (await stack.state_of(proxy)).enabled
    assert not stack.closed_by_others(proxy, "one")


async def test_a_proxy_container_that_restarted_is_found_at_its_new_port(chat: World) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await stack.add_toxic(proxy, SLOW)
    await restart(chat, "chaoskit-chat")
    assert (await stack.state_of(proxy)).toxics == ()
    await stack.remove_toxics(proxy, [SLOW.name])


async def test_looking_again_for_one_container_disturbs_no_call_to_another(chat: World) -> None:
    await chat.proxy("worker", "redis", 6379)
    stack = await chat.stack()
    await asyncio.gather(*(stack.state_of(proxy) for proxy in stack.proxies))
    await restart(chat, "chaoskit-chat")
    both = stack.proxies * 5
    states = await asyncio.gather(*(stack.state_of(proxy) for proxy in both))
    assert all(state.enabled for state in states)


async def test_a_proxy_container_that_is_down_is_named(chat: World) -> None:
    stack = await chat.stack()
    (container,) = chat.engine.of("chaoskit-chat")
    await chat.servers["chaoskit-chat"].stop()
    chat.engine.add(replace(container, published={}))
    with pytest.raises(ToxiproxyUnreachable, match="`chaoskit-chat` is not running"):
        await stack.state_of(stack.proxies[0])


async def test_a_proxy_container_that_was_removed_is_named(chat: World) -> None:
    stack = await chat.stack()
    (proxy,) = stack.proxies
    await chat.servers["chaoskit-chat"].stop()
    chat.engine.all.clear()
    with pytest.raises(ToxiproxyUnreachable, match="`chaoskit-chat` is not running"):
        await stack.state_of(proxy)
    with pytest.raises(FaultFailed, match="has no container"):
        stack.proxy_container(proxy.container)
    with pytest.raises(EnvironmentFailure, match="is not running"):
        await stack.exchange(proxy)


async def test_a_definition_is_what_the_label_said(chat: World) -> None:
    stack = await chat.stack()
    (container,) = chat.engine.of("chaoskit-chat")
    (defined,) = json.loads(container.labels["io.chaoskit.proxies"])
    assert stack.proxies[0].definition() == defined
