"""Dropped packets and lost networks on real containers: who can talk to whom, before, during and
after, as real clients measure it; and nothing left in any namespace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import permutations

import pytest

from chaoskit.docker.client import Engine
from chaoskit.docker.containers import Container
from chaoskit.docker.helper import HelperOutput, Helpers
from chaoskit.docker.labels import PROJECT_LABEL, ROLE_LABEL
from chaoskit.errors import ChaoskitError
from chaoskit.faults import REGISTRY, Fault
from chaoskit.faults.contract import Undo
from chaoskit.stack import netfilter
from chaoskit.stack.netfilter import Drop
from chaoskit.stack.stack import Stack
from tests.compose_project import docker
from tests.contract.real_servers import eventually
from tests.contract.talking_project import Pairs, TalkingProject, talking_project
from tests.fakes.stored_undo import stored

CHATS = ["chat-1[1]", "chat-2[1]", "chat-2[2]"]
EVERYBODY: Pairs = set(permutations([*CHATS, "redis[1]", "postgres[1]"], 2))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TalkingProject]:
    with talking_project(tmp_path_factory.mktemp("project")) as made:
        yield made


@pytest.fixture(scope="module")
def untouched(place: TalkingProject) -> dict[str, str]:
    return place.rules()


@pytest.fixture
async def stack(
    engine: Engine, place: TalkingProject, untouched: dict[str, str]
) -> AsyncIterator[Stack]:
    """The stack; afterwards every namespace must be as it was before any fault."""
    yield await attached(engine, place)
    assert place.rules() == untouched


@pytest.fixture
def endpoints_kept(place: TalkingProject) -> Iterator[None]:
    """Addresses, aliases and links are the same afterwards. A restart may change an address."""
    before = place.endpoints()
    yield
    assert place.endpoints() == before


async def attached(engine: Engine, place: TalkingProject) -> Stack:
    made = Stack(engine, place.project)
    await made.attach()
    return made


def fault(kind: str, **fields: object) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, "id": f"a-{kind}", **fields})


def between(*sides: list[str]) -> Pairs:
    """Return every pair, both ways, that is split by these sides."""
    return {
        pair for one, other in permutations(sides, 2) for a in one for b in other
        for pair in ((a, b), (b, a))
    }  # fmt: skip


async def injected(made: Fault, stack: Stack) -> Undo:
    undo: Undo = await made.prepare(stack)
    await made.inject(stack, undo)
    receipt = await made.verify_injected(stack, undo)
    assert receipt.holds, receipt.detail
    return undo


async def healed(made: Fault, place: TalkingProject, undo: Undo) -> None:
    """Heal as another process does: from what the ledger holds alone; then once more."""
    async with Engine.connect() as engine:
        stack = await attached(engine, place)
        for _ in range(2):
            await type(made).heal(stack, stored(undo))
            receipt = await type(made).verify_healed(stack, stored(undo))
            assert receipt.holds, receipt.detail


@pytest.mark.parametrize(
    ("fields", "cut"),
    [
        pytest.param(
            {"groups": [["chat-1", "redis"], ["chat-2", "postgres"]]},
            between(["chat-1[1]", "redis[1]"], ["chat-2[1]", "chat-2[2]", "postgres[1]"]),
            id="two-pairs",
        ),
        pytest.param(
            {"groups": [["chat-2[1]"], ["chat-2", "redis", "postgres", "chat-1"]]},
            between(["chat-2[1]"], ["chat-1[1]", "chat-2[2]", "redis[1]", "postgres[1]"]),
            id="one-replica-against-the-rest",
        ),
        pytest.param(
            {"groups": [["chat-1"], ["redis"], ["postgres"]]},
            between(["chat-1[1]"], ["redis[1]"], ["postgres[1]"]),
            id="three-groups",
        ),
        pytest.param(
            # TCP needs both directions: no connection opens, from either end.
            {"from": ["chat-1"], "to": ["redis"]},
            between(["chat-1[1]"], ["redis[1]"]),
            id="one-way",
        ),
    ],
)
async def test_a_partition_splits_exactly_that_and_every_other_pair_still_talks(
    fields: dict[str, object], cut: Pairs, place: TalkingProject, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", **fields)
    undo = await injected(made, stack)
    assert place.talking() == EVERYBODY - cut
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert effect.holds, effect.detail
    await healed(made, place, undo)
    assert place.talking() == EVERYBODY
    assert not (await made.verify_injected(stack, undo)).holds


async def test_one_way_loses_packets_of_one_direction_only(
    place: TalkingProject, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", **{"from": ["chat-1"], "to": ["redis"]})
    undo = await injected(made, stack)
    place.talking()
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert "chat-1 -> redis" in effect.detail
    assert "redis -> chat-1" not in effect.detail
    redis = (await stack.replicas("redis"))[0]
    chat = (await stack.replicas("chat-1"))[0]
    chain = undo.cut.chain  # type: ignore[attr-defined]  # of a partition
    assert (await netfilter.read(stack.helpers, place.project, redis, chain)).jump
    assert not (await netfilter.read(stack.helpers, place.project, chat, chain)).chain
    await healed(made, place, undo)


async def test_an_open_connection_is_silent_meanwhile_and_delivers_afterwards(
    place: TalkingProject, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", groups=[["chat-1"], ["redis"]])
    client = place.keep_connection("chat-1[1]", "redis[1]", lasts=3.0)
    undo = await injected(made, stack)
    await healed(made, place, undo)
    assert client.communicate(timeout=30)[0].strip() == "0"  # nothing that was sent got lost


async def test_a_partition_that_nobody_ran_into_was_not_felt(
    place: TalkingProject, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", groups=[["chat-1"], ["redis"]])
    undo = await injected(made, stack)
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert not effect.holds
    assert "0 chat-1 -> redis" in effect.detail
    await healed(made, place, undo)


async def test_lost_packets_are_counted_and_tcp_gets_through(
    place: TalkingProject, stack: Stack
) -> None:
    # With much more, now and then so many copies of one packet are lost that TCP waits for minutes.
    made = fault("packet_loss", between=["chat-1", "redis"], percent="10%")
    undo = await injected(made, stack)
    try:
        client = place.keep_connection("chat-1[1]", "redis[1]", lasts=2.0)
        assert client.communicate(timeout=60)[0].strip() == "0"
        effect = await made.effect(stack, undo)
        assert effect is not None
        assert effect.holds, effect.detail
    finally:
        await healed(made, place, undo)


async def test_a_container_that_restarted_has_lost_its_rules_and_that_is_seen(
    place: TalkingProject, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", groups=[["redis"], ["postgres"]])
    undo = await injected(made, stack)
    place.restart("redis[1]")
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "redis" in receipt.detail
    await healed(made, place, undo)
    eventually("everybody talks", lambda: place.talking() == EVERYBODY)


async def test_half_an_inject_is_healed(place: TalkingProject, stack: Stack) -> None:
    made = fault("partition", engine="netfilter", groups=[["redis"], ["postgres"]])
    undo = await made.prepare(stack)
    real, calls = netfilter.add, 0

    async def once(
        helpers: Helpers, project: str, container: Container, chain: str, drops: list[Drop]
    ) -> netfilter.Rules:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise ChaoskitError("broken in the middle")
        return await real(helpers, project, container, chain, drops)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netfilter, "add", once)
        with pytest.raises(ChaoskitError, match="in the middle"):
            await made.inject(stack, undo)
    assert not (await made.verify_injected(stack, undo)).holds
    await healed(made, place, undo)


async def test_two_partitions_at_once_are_healed_one_by_one(
    place: TalkingProject, stack: Stack
) -> None:
    one = fault("partition", engine="netfilter", groups=[["chat-1"], ["redis"]])
    two = fault("packet_loss", between=["redis", "postgres"], percent="100%")
    first, second = await injected(one, stack), await injected(two, stack)
    cut = between(["redis[1]"], ["postgres[1]"])
    assert place.talking() == EVERYBODY - cut - between(["chat-1[1]"], ["redis[1]"])
    await healed(one, place, first)
    assert place.talking() == EVERYBODY - cut
    await healed(two, place, second)


async def test_rules_are_found_by_the_run_alone(place: TalkingProject, stack: Stack) -> None:
    (redis,) = await stack.replicas("redis")
    chain = netfilter.chain_name(place.project, "whatever")
    drops = [Drop("10.9.9.9"), Drop("10.9.9.8", to_port=6379, share=0.25), Drop("fd00::9")]
    await netfilter.add(stack.helpers, place.project, redis, chain, drops)
    found = await netfilter.read(stack.helpers, place.project, redis, chain)
    assert not found.lacks(drops)
    assert found.lacks([Drop("10.9.9.8", to_port=6379, share=0.5)])
    prefix = netfilter.chain_prefix(place.project)
    await netfilter.remove(stack.helpers, place.project, redis, prefix)
    assert not (await netfilter.read(stack.helpers, place.project, redis, chain)).chain


@pytest.mark.usefixtures("endpoints_kept")
@pytest.mark.parametrize(
    ("service", "network", "cut"),
    [
        # `chat-1` and `redis` still have the network `side` between them.
        ("redis", "back", between(["redis[1]"], ["chat-2[1]", "chat-2[2]", "postgres[1]"])),
        ("chat-2", "back", {p for p in EVERYBODY if any("chat-2" in end for end in p)}),
        ("postgres", "fixed", set()),
    ],
)
async def test_a_service_off_a_network_comes_back_with_everything_it_had(
    service: str, network: str, cut: Pairs, place: TalkingProject, stack: Stack
) -> None:
    made = fault("disconnect", service=service, network=network)
    undo = await injected(made, stack)
    assert place.talking() == EVERYBODY - cut
    await healed(made, place, undo)
    assert place.talking() == EVERYBODY
    assert not (await made.verify_injected(stack, undo)).holds


async def test_a_restart_does_not_bring_a_network_back(place: TalkingProject, stack: Stack) -> None:
    made = fault("disconnect", service="postgres", network="back")
    undo = await injected(made, stack)
    place.restart("postgres[1]")
    assert (await made.verify_injected(stack, undo)).holds
    await healed(made, place, undo)
    eventually("everybody talks", lambda: place.talking() == EVERYBODY)


@pytest.mark.usefixtures("endpoints_kept")
async def test_an_address_that_somebody_took_meanwhile_is_told(
    place: TalkingProject, stack: Stack
) -> None:
    made = fault("disconnect", service="redis", network="back")
    undo = await injected(made, stack)
    wanted = undo.before[1].address  # type: ignore[attr-defined]  # of a disconnect
    # Two of them: the lowest free address is that of `early`, the next one that of redis.
    thieves = [f"{place.project}-thief-{number}" for number in (1, 2)]
    network = f"{place.project}_back"
    for name in thieves:
        docker("run", "-d", "--name", name, "--network", network, "chaoskit/lab:1", "sleep", "99")
    try:
        await type(made).heal(stack, undo)
        receipt = await type(made).verify_healed(stack, undo)
    finally:
        docker("rm", "--force", *thieves)
    assert receipt.holds, receipt.detail
    assert f"took {wanted} meanwhile" in receipt.detail
    # Leave it as it was for the other tests.
    await stack.networks.disconnect((await stack.replicas("redis"))[0].id, network)
    await healed(made, place, undo)


def helpers(place: TalkingProject) -> list[str]:
    wanted = ("--filter", f"label={PROJECT_LABEL}={place.project}", "--filter", "status=running")
    role = f"label={ROLE_LABEL}=helper"
    return docker("ps", "-q", *wanted, "--filter", role).split()


async def test_helpers_that_stand_by_do_the_same_and_leave_with_their_engine(
    place: TalkingProject, engine: Engine, stack: Stack
) -> None:
    made = fault("partition", engine="netfilter", groups=[["chat-1"], ["redis"]])
    await made.ready(stack)
    standing = helpers(place)
    assert len(standing) == 2
    undo = await injected(made, stack)
    assert place.talking() == EVERYBODY - between(["chat-1[1]"], ["redis[1]"])
    await made.heal(stack, undo)
    assert (await made.verify_healed(stack, undo)).holds
    assert helpers(place) == standing, "no other one was needed"
    engine.helpers.close()
    eventually("they are gone", lambda: helpers(place) == [])


async def test_a_helper_that_stands_by_ends_with_its_process_and_is_then_done_without(
    place: TalkingProject, engine: Engine, stack: Stack
) -> None:
    (redis,) = await stack.replicas("redis")
    await netfilter.stand_by(engine.helpers, place.project, redis)
    (standing,) = helpers(place)
    key = netfilter.namespace(redis)
    argv = ["sh", "-c", "echo $1; exit 3", "x", "a 'b'"]
    assert await engine.helpers.run_standing_by(key, argv) == HelperOutput(3, "a 'b'\n")
    silent = await engine.helpers.run_standing_by(key, ["cat"])
    assert silent == HelperOutput(0, ""), "it reads nothing of ours"
    docker("kill", standing)
    chain = netfilter.chain_name(place.project, "whatever")
    found = await netfilter.read(engine.helpers, place.project, redis, chain)
    assert not found.chain
    await netfilter.stand_by(engine.helpers, place.project, redis)
    assert await engine.helpers.run_standing_by(key, ["sleep", "5"], within=0.3) is None
    eventually("it is gone", lambda: helpers(place) == [])
