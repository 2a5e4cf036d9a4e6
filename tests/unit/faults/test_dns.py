"""`dns`: what may be asked of it, what it hits, and when it was felt."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.errors import FaultFailed
from chaoskit.faults import Fault
from tests.fakes.fake_world import World
from tests.unit.faults import service_cases
from tests.unit.faults.service_cases import project


def dns(**fields: Any) -> Fault:
    given = {"service": "chat", "names": ["redis"], "answer": "nxdomain"}
    return service_cases.fault("dns", **{**given, **fields})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"names": []}, "at least 1"),
        ({"names": ["a b"]}, "`a b` is no name that is looked up"),
        ({"names": ["http://api"]}, "is no name"),
        ({"names": ["api:80"]}, "is no name"),
        ({"names": ["*api.com"]}, "is no name"),
        ({"names": ["api.*"]}, "is no name"),
        ({"names": ["a..b"]}, "is no name"),
        ({"names": ["-a"]}, "is no name"),
        ({"names": ["bücher.test"]}, "is no name"),
        ({"names": ["redis\n"]}, "is no name"),
        ({"names": ["x" * 64]}, "is no name"),
        ({"names": [".".join(["x" * 60] * 5)]}, "is no name"),
        ({"names": ["10.0.0.1"]}, "is an address, which nobody looks up"),
        ({"answer": "NXDOMAIN "}, "is no answer: write nxdomain"),
        ({"answer": "10.0.0"}, "is no answer"),
        ({"answer": "fe80::1%eth0"}, "is no answer"),
        ({"answer": None}, "needs an `answer`, a `delay`, or both"),
        ({"answer": "timeout", "delay": "1s"}, "never answers: it takes no `delay`"),
        ({"delay": "0s"}, "greater than 0"),
        ({"delay": "31s"}, "less than or equal to 30"),
    ],
)
def test_what_cannot_work_is_refused_in_words(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        dns(**fields)


@pytest.mark.parametrize(
    ("fields", "hits"),
    [
        ({}, "chat gets no such name when it looks up `redis`"),
        ({"names": ["API.", "*.Example.com"], "answer": "servfail"}, "`api`, `*.example.com`"),
        ({"answer": "0:0::1"}, "chat gets ::1 when"),
        ({"answer": None, "delay": "2s", "replica": 1}, "chat[1] gets the real answer, after 2s"),
    ],
)
def test_the_forecast_says_what_the_client_gets(fields: dict[str, Any], hits: str) -> None:
    assert hits in dns(**fields).forecast().hits


def test_a_service_in_the_network_of_another_one_is_refused() -> None:
    made = dns(service="redis")
    assert made.impossible_because(project()) is None
    assert "network_mode: host" in str(made.impossible_because(project(network_mode="host")))


async def test_one_replica_alone_is_hit(world: World) -> None:
    world.service("chat", replicas=2)
    stack = await world.stack()
    made = dns(replica=2)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert set(world.engine.netfilter.nat) == {"id-run-1-chat-2"}
    receipt = await made.verify_injected(stack, undo)
    assert receipt.detail == (
        "run-1-chat-2 looks up redis: no such name after 0s (10.0.0.3 before)"
    )


@pytest.mark.parametrize("asked", [{}, {"redis": 3}])
async def test_it_was_felt_when_the_client_asked_for_a_name_of_it(
    asked: dict[str, int], world: World
) -> None:
    world.service("chat")
    stack = await world.stack()
    made = dns()
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.engine.names.asked = asked
    effect = await made.effect(stack, undo)
    assert effect is not None
    assert effect.holds is bool(asked)
    wanted = "look-ups hit: 3 of redis by run-1-chat-1" if asked else "asked for none of `redis`"
    assert wanted in effect.detail


async def test_two_at_once_on_a_container_are_refused_until_the_first_is_healed(
    world: World,
) -> None:
    world.service("chat", replicas=2)
    stack = await world.stack()
    one = dns(id="one", replica=1)
    undo = await one.prepare(stack)
    await dns(id="beside", replica=2).prepare(stack)
    with pytest.raises(FaultFailed, match="answered by fault `one` now"):
        await dns(id="two").prepare(stack)
    await one.heal(stack, undo)
    await dns(id="three", replica=1).prepare(stack)


async def test_a_look_up_that_fails_by_itself_in_another_way_is_no_proof(world: World) -> None:
    world.service("chat")
    stack = await world.stack()
    made = dns(answer="servfail")
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    world.engine.names.remove(undo.replicas[0].responder)
    receipt = await made.verify_injected(stack, undo)
    assert not receipt.holds
    assert "Connection refused" in receipt.detail
