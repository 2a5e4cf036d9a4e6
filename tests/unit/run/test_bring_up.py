"""What is said of a stack that does not come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoskit.errors import CommandFailed, StackNotReady
from chaoskit.exchange import Exchange
from chaoskit.plan.plan import Plan
from chaoskit.records import Json
from chaoskit.run.bring_up import services_ready
from chaoskit.run.not_up import not_up
from chaoskit.scenario.loading import load
from tests.fakes.fake_world import World, ended
from tests.fakes.plans import plan_of

DENIED = (
    ' web Error pull access denied for shop/web, repository does not exist or may require "docker'
    ' login"\nError response from daemon: pull access denied for shop/web, repository does not'
    " exist\n"
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a plan of a stack of `web`, which is pulled, and `api`, which is built."""
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    file = tmp_path / "shop.yaml"
    file.write_text(
        "name: shop\n"
        "stack: { compose: compose.yaml, up_timeout: 5s }\n"
        "probes: { web: { probe: http, url: http://web:80/ } }\n"
        "timeline: { faults: [] }\n"
        "allow: [{ service: idle, may: exit }]\n"
        "expect: [{ check: availability, probe: web, at_least: 99% }]\n"
    )
    services: dict[str, Json] = {
        "web": {"image": "shop/web:1"},
        "api": {"image": "shop/api:1", "build": {"context": "."}},
        "idle": {"image": "shop/idle:1"},
    }
    return plan_of(load(file, {}), {"name": "shop", "services": services})


def failed(stderr: str, status: int | None = 1) -> CommandFailed:
    return CommandFailed(("docker", "compose", "up"), status, stderr)


async def test_an_image_that_is_not_there_is_named_with_who_needs_it_and_how_to_get_it(
    world: World, plan: Plan
) -> None:
    world.engine.images.missing = {"shop/web:1", "shop/api:1"}
    error = await not_up(failed(DENIED), plan, await world.stack())
    assert error.message == (
        "image `shop/web:1` of `web` is not on this machine and was not to be had: Error response"
        " from daemon: pull access denied for shop/web, repository does not exist"
    )
    assert error.hint == "build or tag it under this name, or try `docker pull shop/web:1`"


async def test_a_pull_that_took_too_long_is_told_as_one(world: World, plan: Plan) -> None:
    world.engine.images.missing = {"shop/web:1"}
    error = await not_up(failed("no result within 5 s", None), plan, await world.stack())
    assert "`shop/web:1` of `web` is not on this machine and was not pulled within 5s" in str(error)
    assert "docker pull shop/web:1" in (error.hint or "")


async def test_more_time_is_advised_only_where_nothing_but_time_is_known_to_be_missing(
    world: World, plan: Plan
) -> None:
    stack = await world.stack()
    refused = await not_up(failed("Error response from daemon: port is taken"), plan, stack)
    assert (refused.hint, refused.logs) == (None, {})
    assert refused.message.endswith("Error response from daemon: port is taken")
    late = await not_up(failed("", None), plan, stack)
    assert late.message == "the stack was not up within 5s"
    assert late.hint == "a longer `stack.up_timeout` helps if it is only slow"


async def test_who_died_is_told_before_what_compose_says(world: World, plan: Plan) -> None:
    world.engine.add(ended("web", 3))
    world.engine.printed["web"] = ["booting", "ValueError: no DSN", "goodbye"]
    stack = await world.stack()
    error = await not_up(failed("dependency failed to start: container shop-web-1"), plan, stack)
    assert error.message == (
        "`web` exited with code 3 and nothing starts it again, its log says: ValueError: no DSN"
    )
    assert error.hint == "its last log lines are shown"
    assert error.logs == {"web": ["booting", "ValueError: no DSN", "goodbye"]}


async def test_a_death_ends_the_wait_for_services_unless_it_may_be(
    world: World, plan: Plan
) -> None:
    stack = await world.stack()
    for service in ("web", "api"):
        world.engine.add(ended(service, 0))
    world.engine.add(ended("idle", 1))
    await services_ready(plan, stack, within=0)
    world.engine.add(ended("api", 1))
    with pytest.raises(StackNotReady, match="`api` exited with code 1 and nothing starts it"):
        await services_ready(plan, stack, within=600)


async def test_a_service_that_is_not_ready_in_time_is_told_with_its_log(
    world: World, plan: Plan
) -> None:
    stack = await world.stack()
    world.service("web")
    world.service("api")
    world.engine.add(ended("idle", 0))
    world.engine.add(ended("web", 1, status="restarting", restarts=True))
    world.engine.printed["web"] = ["connection refused"]
    with pytest.raises(StackNotReady) as caught:
        await services_ready(plan, stack, within=0)
    assert caught.value.message == (
        "not ready within 5s: `web` is restarting, its log says: connection refused"
    )
    assert "up_timeout" in (caught.value.hint or "")


def test_a_server_that_said_nothing_yet_is_not_said_to_have_answered_in_that_time() -> None:
    silent = Exchange("TCP", "answered", 0.051)
    assert str(silent) == "no word in 51ms"
    greeted = Exchange("TCP", "answered", 0.051, received=78)
    assert str(greeted) == "51ms"
