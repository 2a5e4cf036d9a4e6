"""The gate ends early where the steady state cannot come any more, and says who died."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chaoskit.clock import Clock
from chaoskit.docker.containers import container_of
from chaoskit.record.writer import Recorder
from chaoskit.records import Outcome, Sample
from chaoskit.run import gate
from chaoskit.run.clients import Clients, GateUnmet
from chaoskit.run.gate import steady
from chaoskit.scenario.document import Scenario, scenario_model
from chaoskit.stack.stack import Stack
from tests.fakes.fake_world import World, ended


def scenario(within: str, *allow: str) -> Scenario:
    document = {
        "name": "shop",
        "stack": {"compose": "compose.yaml"},
        "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
        "timeline": {"gate": {"for": "10s", "within": within}},
        "allow": [{"service": name, "may": "exit"} for name in allow],
        "expect": [{"check": "availability", "probe": "web", "at_least": "99%"}],
    }
    return scenario_model().model_validate(document)


@pytest.fixture
async def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(gate, "_LOOK", 0.01)
    for name in ("web", "api", "job"):
        world.service(name)
    return await world.stack()


async def unmet(stack: Stack, recorder: Recorder, one: Scenario, outcome: Outcome = "fail") -> str:
    """Return why the gate was not met, while the last sample of the probe was this."""
    clients = Clients(one, stack, Clock(), recorder, 0)
    problem = None if outcome == "ok" else "connection refused"
    recorder.sample(Sample("web", 0.0, 0.0, 0.1, outcome, problem, None))
    with pytest.raises((GateUnmet, ExceptionGroup)) as caught:
        await asyncio.wait_for(steady(clients, stack, one), 20)
    error: Exception = caught.value
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error)


async def test_a_service_that_failed_ends_the_wait_and_is_told_first(
    world: World, stack: Stack, recorder: Recorder
) -> None:
    world.engine.add(ended("api", 1))
    world.engine.printed["api"] = ["starting", "ValueError: no DSN"]
    assert await unmet(stack, recorder, scenario("60s")) == (
        "`api` exited with code 1 and nothing starts it again, its log says: ValueError: no DSN;"
        " the steady state was not met, nothing was injected"
    )


async def test_a_service_that_ran_out_of_memory_is_told_so(
    world: World, stack: Stack, recorder: Recorder
) -> None:
    one = ended("api", 137)
    world.engine.add(replace(one, state=replace(one.state, oom_killed=True)))
    said = await unmet(stack, recorder, scenario("60s"))
    assert said.startswith("`api` was killed because its memory ran out (code 137)")


async def test_a_service_that_ended_without_an_error_ends_the_wait_only_where_a_probe_misses_it(
    world: World, stack: Stack, recorder: Recorder
) -> None:
    world.engine.add(ended("job", 0))
    said = await unmet(stack, recorder, scenario("300ms"))
    assert said.startswith("the steady state was not met within 300ms")
    world.engine.add(ended("web", 0))
    assert (await unmet(stack, recorder, scenario("300ms"), "ok")).startswith("the steady state")
    said = await unmet(stack, recorder, scenario("60s"))
    assert said.startswith("`web` exited with code 0 and nothing starts it again; the steady")


async def test_what_may_exit_or_is_started_again_does_not_end_the_wait(
    world: World, stack: Stack, recorder: Recorder
) -> None:
    world.engine.add(ended("web", 1))
    again = ended("api", 2, status="restarting", restarts=True)
    world.engine.add(replace(again, state=replace(again.state, restart_count=4)))
    world.engine.printed["api"] = ["no licence"]
    said = await unmet(stack, recorder, scenario("300ms", "web"))
    assert said == (
        "`api` was restarted 4 times, its log says: no licence; the steady state was not met within"
        " 300ms, nothing was injected: probe `web` fails: connection refused (GET http://web:80/)"
    )


@pytest.mark.parametrize(
    ("policy", "status", "again"),
    [
        ("no", "exited", False),
        ("", "exited", False),
        ("always", "restarting", True),
        ("unless-stopped", "exited", True),
        ("on-failure", "restarting", True),
        ("on-failure", "running", True),
        ("on-failure", "exited", False),
    ],
)
def test_a_container_that_the_engine_has_given_up_is_not_started_again(
    policy: str, status: str, again: bool
) -> None:
    data = {
        "Id": "1",
        "Name": "/api",
        "State": {"Status": status},
        "Config": {},
        "HostConfig": {"RestartPolicy": {"Name": policy, "MaximumRetryCount": 3}},
    }
    assert container_of(data).restarts is again
