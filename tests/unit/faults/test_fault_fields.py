"""Bounds of the fields of each fault kind, and when its canary felt it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.errors import FaultFailed
from chaoskit.exchange import Exchange, Outcome
from chaoskit.faults import REGISTRY, Fault
from tests.fakes.fake_world import World


def fault(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, **fields})


EDGE = {"edge": "chat -> redis"}
PAIR = [["chat"], ["redis"]]


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("latency", EDGE, "delay"),
        ("latency", {**EDGE, "delay": "-1ms"}, "not a duration"),
        ("latency", {**EDGE, "delay": "0ms"}, "greater than 0"),
        ("latency", {**EDGE, "delay": "0.5ms"}, "at least 1ms"),
        ("latency", {**EDGE, "delay": "1.5ms"}, "whole milliseconds"),
        ("latency", {**EDGE, "delay": "5ms", "jitter": "0.4ms"}, "whole milliseconds"),
        ("latency", {**EDGE, "delay": "601s"}, "less than or equal"),
        ("latency", {**EDGE, "delay": "99999h"}, "longer than a week"),
        ("latency", {**EDGE, "delay": 300}, "needs a unit"),
        ("latency", {**EDGE, "delay": "5ms", "jitter": "6ms"}, "must not be larger"),
        ("latency", {**EDGE, "delay": "5ms", "fraction": "0%"}, "above 0%"),
        ("latency", {**EDGE, "delay": "5ms", "fraction": "101%"}, "above 100%"),
        ("latency", {**EDGE, "delay": "5ms", "direction": "back"}, "both"),
        ("blackhole", {"edge": "chat"}, "expected an edge"),
        ("blackhole", {"edge": "chat -> chat"}, "both ends"),
        ("refuse", {"edge": "chat -> redis:0"}, "not a TCP port"),
        ("partition", {}, "either `groups`"),
        ("partition", {"groups": PAIR, "from": ["chat"]}, "either `groups`"),
        ("partition", {"groups": [["chat"]]}, "at least 2"),
        ("partition", {"groups": [["chat"], []]}, "at least 1"),
        ("partition", {"groups": [["chat", "redis"], ["redis"]]}, "`redis` is in two groups"),
        ("partition", {"from": ["chat"]}, "needs both"),
        ("partition", {"to": ["chat"]}, "needs both"),
        ("partition", {"from": ["chat"], "to": ["chat"]}, "two groups"),
        ("restart", {"service": "redis", "for": "1s"}, "takes no `for`"),
        ("restart", {"service": "redis", "grace": "-1s"}, "not a duration"),
        ("kill", {"service": "redis", "for": "0s"}, "longer than zero"),
        ("kill", {"service": "redis", "replica": 0}, "from 1 to 1000, `any`, or a share"),
        ("kill", {"service": "redis", "replica": 1001}, "from 1 to 1000"),
        ("kill", {"service": "redis", "replica": True}, "from 1 to 1000"),
        ("kill", {"service": "redis", "replica": "some"}, "no choice of replicas"),
        ("kill", {"service": "redis", "replica": "0%"}, "above 0%"),
        ("kill", {"service": "redis", "replica": "101%"}, "above 100%"),
        ("kill", {"service": "re dis"}, "pattern"),
        ("kill", {"service": "redis", "id": "a/b"}, "pattern"),
        ("kill", {"service": "redis", "at": "-1s"}, "not a duration"),
        ("kill", {"service": "redis", "at": 5}, "needs a unit"),
        ("stop", {}, "service"),
        ("pause", {"service": "redis", "grace": "1s"}, "grace"),
    ],
)
def test_it_refuses_what_makes_no_sense(kind: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault(kind, **fields)


@pytest.mark.parametrize(
    ("direction", "streams"),
    [
        ("reply", ["downstream"]),
        ("request", ["upstream"]),
        ("both", ["upstream", "downstream"]),
    ],
)
def test_latency_becomes_toxics_in_whole_milliseconds(direction: str, streams: list[str]) -> None:
    made = fault("latency", id="slow", direction=direction, delay="300ms", jitter="50ms", **EDGE)
    toxics = made.toxics()  # type: ignore[attr-defined]  # an EdgeFault
    assert [toxic.stream for toxic in toxics] == streams
    assert [toxic.name for toxic in toxics] == [f"slow.{stream}" for stream in streams]
    assert all(toxic.attributes == {"latency": 300, "jitter": 50} for toxic in toxics)


def seen(outcome: Outcome, seconds: float) -> Exchange:
    return Exchange("redis PING", outcome, seconds)


@pytest.mark.parametrize(
    ("kind", "fields", "during", "felt"),
    [
        ("latency", {**EDGE, "delay": "100ms"}, seen("answered", 0.102), True),
        ("latency", {**EDGE, "delay": "100ms"}, seen("answered", 0.003), False),
        ("latency", {**EDGE, "delay": "100ms"}, seen("refused", 0.001), False),
        ("latency", {**EDGE, "delay": "100ms", "jitter": "80ms"}, seen("answered", 0.023), True),
        ("blackhole", EDGE, seen("silent", 1.0), True),
        ("blackhole", EDGE, seen("answered", 0.002), False),
        ("blackhole", EDGE, seen("refused", 0.001), False),
        ("partition", {"groups": PAIR}, seen("silent", 1.0), True),
        ("partition", {"groups": PAIR}, seen("closed", 0.1), False),
        ("refuse", EDGE, seen("refused", 0.001), True),
        ("refuse", EDGE, seen("closed", 0.001), True),
        ("refuse", EDGE, seen("answered", 0.002), False),
    ],
)
def test_a_canary_feels_exactly_this_fault(
    kind: str, fields: dict[str, Any], during: Exchange, felt: bool
) -> None:
    canary = fault(kind, **fields).canary()
    assert canary is not None
    assert canary.felt(seen("answered", 0.002), during) is felt


def test_a_canary_waits_longer_than_the_longest_delay() -> None:
    canary = fault("latency", delay="3s", jitter="1s", **EDGE).canary()
    assert canary is not None
    assert canary.deadline > 2 * 4


@pytest.mark.parametrize("kind", ["kill", "stop", "pause", "restart"])
async def test_a_fault_on_one_replica_spares_the_others_and_the_paths(
    kind: str, world: World
) -> None:
    world.service("redis", replicas=3)
    await world.proxy("chat", "redis", 6379)
    before = world.state()
    stack = await world.stack()
    made = fault(kind, service="redis", replica=2)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert world.state()["proxies"] == before["proxies"]
    others = [c for c in world.engine.of("redis") if c.state.replica != 2]
    assert all(c.state.status == "running" and "00:00.0" in c.state.started_at for c in others)
    await made.heal(stack, undo)
    assert world.state() == before


async def test_healing_finds_a_replica_that_came_back_with_a_new_id(world: World) -> None:
    from dataclasses import replace

    world.service("redis")
    stack = await world.stack()
    made = fault("kill", service="redis")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    (old,) = world.engine.of("redis")
    del world.engine.all[old.id]
    world.engine.add(replace(old, state=replace(old.state, container_id="recreated")))
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds


async def test_a_replica_that_vanished_is_not_called_healed(world: World) -> None:
    world.service("redis", replicas=2)
    stack = await world.stack()
    made = fault("kill", service="redis")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    del world.engine.all[world.engine.of("redis")[0].id]
    await made.heal(stack, undo)
    assert not (await made.verify_healed(stack, undo)).holds


async def test_a_service_that_is_down_already_cannot_be_killed(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    await world.engine.containers.kill(world.engine.of("redis")[0].id)
    with pytest.raises(FaultFailed, match="exited, not running"):
        await fault("kill", service="redis").prepare(stack)


async def test_a_start_that_fails_still_opens_the_paths_and_is_reported(world: World) -> None:
    world.service("redis", replicas=2)
    await world.proxy("chat", "redis", 6379)
    stack = await world.stack()
    made = fault("stop", service="redis")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.fuse.blows_at = world.fuse.changes + 1
    with pytest.raises(Exception, match="no answer"):
        await made.heal(stack, undo)
    assert (await stack.state_of(stack.proxies[0])).enabled


@pytest.mark.parametrize(
    ("field", "value"), [("attributes", {"latency": 0, "jitter": 0}), ("toxicity", 0.5)]
)
async def test_a_toxic_with_other_values_than_asked_for_is_no_proof(
    field: str, value: object, world: World
) -> None:
    await world.proxy("chat", "redis", 6379)
    stack = await world.stack()
    made = fault("latency", delay="300ms", **EDGE)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.servers["chaoskit-chat"].proxies["redis_6379"]["toxics"][0][field] = value
    assert not (await made.verify_injected(stack, undo)).holds


async def test_two_faults_hold_one_path_closed_until_both_are_healed(world: World) -> None:
    world.service("redis")
    await world.proxy("chat", "redis", 6379)
    stack = await world.stack()
    kill, refuse = fault("kill", service="redis"), fault("refuse", **EDGE)
    killed, refused = await kill.prepare(stack), await refuse.prepare(stack)
    await kill.inject(stack, killed)
    await refuse.inject(stack, refused)
    await kill.heal(stack, killed)
    assert not (await stack.state_of(stack.proxies[0])).enabled
    assert (await kill.verify_healed(stack, killed)).holds
    await refuse.heal(stack, refused)
    assert (await stack.state_of(stack.proxies[0])).enabled


async def test_a_one_way_partition_swallows_only_what_the_first_side_sends(world: World) -> None:
    for service in ("a", "b"):
        world.service(service)
    await world.proxy("a", "b", 80)
    await world.proxy("b", "a", 80)
    stack = await world.stack()
    made = fault("partition", **{"from": ["a"], "to": ["b"]})
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    streams = {
        server: [toxic["stream"] for toxic in fake.proxies[name]["toxics"]]
        for server, name in (("chaoskit-a", "b_80"), ("chaoskit-b", "a_80"))
        for fake in [world.servers[server]]
    }
    # What `b` answers on a connection that `a` opened still arrives, and the other way round.
    assert streams == {"chaoskit-a": ["upstream"], "chaoskit-b": ["downstream"]}


def test_a_partition_of_three_groups_cuts_every_pair_that_can_be_joined() -> None:
    made = fault("partition", groups=[["a"], ["b"], ["c", "d"]])
    joined = {("a", "b"), ("b", "a"), ("c", "d"), ("d", "a"), ("x", "a")}
    cut = {(edge.client, edge.upstream) for edge in made.proxied(joined)}
    assert cut == {("a", "b"), ("b", "a"), ("d", "a")}
