"""Partitions and lost packets by netfilter: which container drops what of whom."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.faults import REGISTRY, Fault
from chaoskit.stack.netfilter import chain_name, chain_prefix
from tests.fakes.fake_world import PROJECT, World
from tests.fakes.stored_undo import stored
from tests.unit.stack.conftest import MakeProject
from tests.unit.stack.conftest import project as project  # a fixture

NETFILTER = {"fault": "partition", "id": "cut", "engine": "netfilter"}
LOSS = {"fault": "packet_loss", "id": "lossy", "percent": "20%"}


def fault(**fields: Any) -> Fault:
    found = REGISTRY.get(fields["fault"])
    assert found is not None
    return found.model_validate(fields)


async def drops(world: World, made: Fault) -> dict[str, set[str]]:
    """Inject and return what each replica drops, addresses replaced by names."""
    stack = await world.stack()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    names = {c.addresses[0]: label(c.name) for c in world.engine.all.values()}
    found: dict[str, set[str]] = {}
    for id, (four, _) in world.engine.netfilter.tables.items():
        for rule in (rule for rules in four.chains.values() for rule in rules):
            words = rule.removesuffix(" -j DROP").split()
            text = " ".join([names[words[1].partition("/")[0]], *words[2:]])
            found.setdefault(label(id), set()).add(text.replace(" -p tcp -m tcp", ""))
    return found


def label(name: str) -> str:
    """Return `chat[1]` for `id-run-1-chat-1`."""
    service, _, number = name.removeprefix("id-").removeprefix(f"{PROJECT}-").rpartition("-")
    return f"{service}[{number}]"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"groups": [["chat[1]"], ["redis"]], "engine": "proxy"}, "`chat\\[1\\]` alone"),
        ({"groups": [["chat[0]"], ["redis"]]}, "pattern"),
        ({"groups": [["chat[x]"], ["redis"]]}, "pattern"),
        ({"groups": [["chat[1]"], ["chat[1]"]]}, "`chat\\[1\\]` is in two groups"),
        ({"groups": [["chat", "chat"], ["redis"]]}, "`chat` is twice in one group"),
        ({"groups": [["chat", "chat[1]"], ["redis"]]}, "one group with all of `chat`"),
        ({"groups": [["chat"], ["redis"]], "engine": "tc"}, "engine"),
    ],
)
def test_groups_that_make_no_sense_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault(**{**NETFILTER, **fields})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"between": ["chat"]}, "at least 2"),
        ({"between": ["chat", "redis", "postgres"]}, "at most 2"),
        ({"between": ["chat", "chat"]}, "two different ends"),
        ({"between": ["chat", "redis"], "percent": "0%"}, "at least 0.01%"),
        ({"between": ["chat", "redis"], "percent": "101%"}, "above 100%"),
        ({"between": ["chat", "redis"], "percent": 20}, "percentage such as"),
    ],
)
def test_a_loss_that_makes_no_sense_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault(**{**LOSS, **fields})


async def test_each_side_drops_what_the_other_sends(world: World) -> None:
    for service in ("chat", "redis", "postgres"):
        world.service(service)
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    assert await drops(world, made) == {"chat[1]": {"redis[1]"}, "redis[1]": {"chat[1]"}}


async def test_one_way_only_the_receivers_drop(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    made = fault(**NETFILTER, **{"from": ["chat"], "to": ["redis"]})
    assert await drops(world, made) == {"redis[1]": {"chat[1]"}}


async def test_a_service_beside_one_of_its_replicas_means_the_others(world: World) -> None:
    world.service("chat", replicas=3)
    made = fault(**NETFILTER, groups=[["chat[2]"], ["chat"]])
    assert await drops(world, made) == {
        "chat[2]": {"chat[1]", "chat[3]"},
        "chat[1]": {"chat[2]"},
        "chat[3]": {"chat[2]"},
    }


async def test_a_proxied_edge_is_cut_between_the_client_and_its_proxy(world: World) -> None:
    world.service("chat", replicas=2)
    for service in ("redis", "postgres"):
        world.service(service)
    await world.proxy("chat", "redis", 6379)
    await world.proxy("chat", "postgres", 5432)  # through the same proxy container, and not cut
    await world.proxy("host", "redis", 6379)
    made = fault(**NETFILTER, groups=[["chat[1]"], ["redis"]])
    assert await drops(world, made) == {
        "chat[1]": {"redis[1]", "chaoskit-chat[1] --sport 6379"},
        "redis[1]": {"chat[1]"},
        "chaoskit-chat[1]": {"chat[1] --dport 6379"},
    }


async def test_one_way_replies_through_a_proxy_are_dropped_at_the_client(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    await world.proxy("chat", "redis", 6379)
    made = fault(**NETFILTER, **{"from": ["redis"], "to": ["chat"]})
    assert await drops(world, made) == {"chat[1]": {"redis[1]", "chaoskit-chat[1] --sport 6379"}}


async def test_one_replica_of_a_proxied_upstream_is_cut_off_behind_the_proxy(world: World) -> None:
    world.service("chat")
    world.service("redis", replicas=2)
    await world.proxy("chat", "redis", 6379)
    made = fault(**NETFILTER, groups=[["chat"], ["redis[2]"]])
    assert await drops(world, made) == {
        "chat[1]": {"redis[2]"},
        "redis[2]": {"chat[1]", "chaoskit-chat[1] --dport 6379"},
        "chaoskit-chat[1]": {"redis[2] --sport 6379"},
    }


async def test_one_replica_cannot_be_cut_off_from_another_through_a_shared_proxy(
    world: World,
) -> None:
    world.service("chat", replicas=2)
    world.service("redis", replicas=2)
    await world.proxy("chat", "redis", 6379)
    with pytest.raises(FaultFailed, match="share one proxy"):
        await fault(**NETFILTER, groups=[["chat[1]"], ["redis[2]"]]).prepare(await world.stack())


async def test_lost_packets_are_counted_by_who_sent_them(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    made = fault(**LOSS, between=["chat", "redis"])
    stack = await world.stack()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    idle = await made.effect(stack, undo)
    assert idle is not None
    assert (idle.holds, idle.detail) == (
        False, "packets dropped: 0 chat -> redis of 0, 0 redis -> chat of 0",
    )  # fmt: skip
    four, _ = world.engine.netfilter.tables["id-run-1-redis-1"]
    counting, dropping = four.chains[undo.chain]
    four.packets |= {counting: 50, dropping: 11}
    felt = await made.effect(stack, undo)
    assert felt is not None
    assert (felt.holds, felt.detail) == (
        True, "packets dropped: 11 chat -> redis of 50, 0 redis -> chat of 0",
    )  # fmt: skip


async def test_an_address_that_changed_under_the_fault_is_seen(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    stack = await world.stack()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    (redis,) = world.engine.of("redis")
    world.engine.add(replace(redis, addresses=("10.0.0.99",)))
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "does not drop packets of redis -> chat (from 10.0.0.99)" in receipt.detail


async def test_addresses_of_both_families_are_dropped(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    (chat,) = world.engine.of("chat")
    world.engine.add(replace(chat, addresses=("10.0.0.2", "fd00::2")))
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    stack = await world.stack()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    four, six = world.engine.netfilter.tables["id-run-1-redis-1"]
    assert list(four.chains.values()) == [["-s 10.0.0.2/32 -j DROP"]]
    assert list(six.chains.values()) == [["-s fd00::2/128 -j DROP"]]
    assert (await made.verify_injected(stack, undo)).holds


@pytest.mark.parametrize("late", [False, True], ids=["before-the-change", "after-the-change"])
async def test_another_process_heals_it_after_half_an_inject(late: bool, world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service, replicas=2)
    before = world.state()
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    for step in range(1, 6):
        stack = await world.stack()
        undo = stored(await made.prepare(stack))
        world.fuse.changes, world.fuse.blows_at, world.fuse.late = 0, step, late
        with contextlib.suppress(ChaoskitError):
            await made.inject(stack, undo)
        world.fuse.blows_at = 0
        another = await world.stack()
        for _ in range(2):
            await type(made).heal(another, undo)
            assert (await type(made).verify_healed(another, undo)).holds
        assert world.state() == before, f"broken at change {step}"


async def test_a_container_that_is_down_has_nothing_to_heal(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    stack = await world.stack()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await world.engine.containers.kill(world.engine.of("redis")[0].id)
    assert (await made.verify_injected(stack, undo)).holds  # what is down receives nothing
    await world.engine.containers.start(world.engine.of("redis")[0].id)
    assert not (await made.verify_injected(stack, undo)).holds  # its rules went with it
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds


async def test_rules_never_go_into_a_namespace_of_somebody_else(world: World) -> None:
    for service in ("chat", "redis"):
        world.service(service)
    (redis,) = world.engine.of("redis")
    world.engine.add(replace(redis, addresses=()))  # as with `network_mode: host`
    made = fault(**NETFILTER, groups=[["chat"], ["redis"]])
    stack = await world.stack()
    undo = await made.prepare(stack)
    with pytest.raises(FaultFailed, match="no separate network namespace"):
        await made.inject(stack, undo)


def test_what_cannot_work_on_a_stack_is_known_before_it_starts(project: MakeProject) -> None:
    stack = project(
        {
            "chat": {"scale": 2},
            "redis": {},
            "far": {"networks": ["other"]},
            "bare": {"network_mode": "host"},
        }
    )
    for groups, says in [
        ([["chat"], ["redis"]], None),
        ([["chat[1]"], ["chat[2]"]], None),
        ([["chat[1]"], ["chat", "redis"]], None),
        ([["chat"], ["far"]], "no two services of chat | far share a network"),
        ([["chat"], ["bare"]], "`bare` has `network_mode: host`"),
        ([["chat[1]"], ["chat[2]"], ["chat"]], "none is left for `chat`"),
    ]:
        found = fault(**NETFILTER, groups=groups).impossible_because(stack)
        assert found == says if says is None else says in str(found)
    assert fault(fault="partition", groups=[["chat"], ["far"]]).impossible_because(stack) is None
    assert fault(**NETFILTER, groups=[["chat"], ["far"]]).needed() == ("netfilter",)


def test_a_chain_says_whose_it_is_in_28_characters() -> None:
    chain = chain_name("participants-20260101-abcdef", "a-rather-long-id-of-a-fault")
    assert len(chain) <= 28
    assert chain.startswith(chain_prefix("participants-20260101-abcdef"))
    assert chain_name("one", "f") != chain_name("two", "f") != chain_name("two", "g")
