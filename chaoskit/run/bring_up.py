"""Bringing the run's copy of the stack up: proxies first, then everything, then ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from chaoskit.clock import until
from chaoskit.docker.compose_cli import Compose
from chaoskit.docker.containers import Container
from chaoskit.docker.errors import IN_CONTAINER, is_in_container
from chaoskit.errors import (
    CommandFailed,
    EnvironmentFailure,
    FaultFailed,
    StackNotReady,
)
from chaoskit.plan.plan import Plan
from chaoskit.record.events import ServiceImage
from chaoskit.run.not_up import deaths, gist, has_failed, hint_with, last_line, last_logs, not_up
from chaoskit.scenario.document import Preparation
from chaoskit.stack.overlay import Layout
from chaoskit.stack.stack import Stack
from chaoskit.text import seconds_text

_POLL = 0.05
_PROXIES_DEADLINE = 30.0
_BUILD_DEADLINE = 3600.0
_OUTPUT_TAIL = 15  # lines


async def bring_up(
    plan: Plan,
    layout: Layout,
    overlay: Path,
    stack: Stack,
    say: Callable[[str], None],
    proxies_up: Callable[[], None],
) -> None:
    """Start the copy and return when every service is ready and every proxy is as planned.

    Proxies start first and must serve before any client starts: a client that connects once, at
    its start, must find them; `proxies_up` is called in between. Raises `StackNotReady` with the
    logs of what did not come up.
    """
    block = plan.loaded.scenario.stack
    compose = replace(plan.compose, files=(*plan.compose.files, overlay))
    loop = asyncio.get_running_loop()
    await _build(plan, compose, say)
    deadline = loop.time() + block.up_timeout
    try:
        if layout.services:
            say("starting proxies")
            await compose.up(layout.services, within=_PROXIES_DEADLINE, dependencies=False)
            await stack.attach()
            await _proxies_ready(stack, layout)
            proxies_up()
        say("starting services")
        await compose.up(within=max(1.0, deadline - loop.time()))
        if block.prepare:
            prepared = {one.service for one in block.prepare}
            await services_ready(plan, stack, within=deadline - loop.time(), but=prepared)
            begun = loop.time()
            for one in block.prepare:
                say(f"preparing `{one.service}`")
                await _prepare(one, stack)
            deadline += loop.time() - begun
        await services_ready(plan, stack, within=deadline - loop.time())
    except CommandFailed as error:
        raise await not_up(error, plan, stack) from error
    await stack.attach()


async def _build(plan: Plan, compose: Compose, say: Callable[[str], None]) -> None:
    """Build what the stack does not have yet; how long that takes is no part of coming up."""
    always = plan.loaded.scenario.stack.build
    builds = [
        s.name for s in plan.project.services.values() if s.builds and (always or not s.image)
    ]
    if not builds:
        return
    names = ", ".join(f"`{name}`" for name in builds)
    say(f"building {names}")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        await compose.build(builds, within=_BUILD_DEADLINE)
    except CommandFailed as error:
        if error.status is None:
            message = f"building {names} took longer than {seconds_text(_BUILD_DEADLINE)}"
        else:
            message = f"{names} could not be built: {gist(error.stderr)}"
        raise StackNotReady(message, {}, hint="try `docker compose build`") from error
    say(f"built {names} in {seconds_text(loop.time() - begun)}")


async def _proxies_ready(stack: Stack, layout: Layout) -> None:
    """Return when every Toxiproxy serves exactly the proxies of the plan: the server also starts
    with a config file it could not read."""

    async def problem() -> str | None:
        for container in layout.containers:
            try:
                found = await stack.api_states(container.service)
                if container.relayed:
                    await stack.relay(container.service).look()
            except (EnvironmentFailure, FaultFailed) as error:
                return f"`{container.service}` is not ready: {error.message}"
            serving = {name for name, state in found.items() if state.enabled}
            missing = {proxy.name for proxy in container.proxies} - serving
            if missing:
                return f"`{container.service}` is not ready: lacks {', '.join(sorted(missing))}"
        return None

    left = await until(
        problem, met=lambda text: text is None, within=_PROXIES_DEADLINE, every=_POLL
    )
    if left is not None:
        inside = IN_CONTAINER if is_in_container() else None
        raise StackNotReady(left, await last_logs(stack), hint=inside)


async def _prepare(one: Preparation, stack: Stack) -> None:
    """Run a command in the first replica of its service. Raises `StackNotReady` with its output."""

    async def running() -> Container | None:
        found = await stack.containers.of(stack.project, one.service)
        return next((container for container in found if container.state.running), None)

    what = f"preparing `{one.service}`"
    container = await until(
        running, met=lambda seen: seen is not None, within=one.within, every=_POLL
    )
    if container is None:
        raise StackNotReady(f"{what}: it does not run", await last_logs(stack, unready=True))
    done = await stack.exec.run(container.id, ["sh", "-c", one.run], within=one.within)
    if done.status == 0:
        return
    how = f"took longer than {one.within}" if done.status is None else f"ended with {done.status}"
    said = f"{done.out}{done.err}".splitlines()[-_OUTPUT_TAIL:]
    raise StackNotReady(
        f"{what}: `{one.run}` {how}",
        {one.service: said} if said else {},
        hint="see `stack.prepare`",
    )


async def services_ready(
    plan: Plan, stack: Stack, *, within: float, but: Collection[str] = ()
) -> None:
    """Return when every service is ready, `but` these. Raises `StackNotReady`."""

    scenario = plan.loaded.scenario

    async def waiting() -> dict[str, str]:
        containers = [
            one for one in await stack.containers.of(stack.project) if one.state.service not in but
        ]
        if any(has_failed(one, scenario) for one in containers):
            logs = await last_logs(stack, unready=True)
            said = await deaths(stack, scenario, logs)
            raise StackNotReady(said, logs, hint=hint_with(logs, slow=False))
        mine = {
            name: [one for one in containers if one.state.service == name]
            for name, service in plan.project.services.items()
            if service.replicas and name not in but
        }
        states = {
            name: _missing(found, may_exit=scenario.may(name, "exit"))
            for name, found in mine.items()
        }
        return {name: state for name, state in states.items() if state}

    left = await until(waiting, met=lambda found: not found, within=within, every=_POLL)
    if left:
        logs = await last_logs(stack, unready=True)
        said = "; ".join(f"`{name}` {state}{last_line(name, logs)}" for name, state in left.items())
        timeout = scenario.stack.up_timeout
        raise StackNotReady(f"not ready within {timeout}: {said}", logs, hint=hint_with(logs))


def _missing(containers: list[Container], *, may_exit: bool) -> str:
    """Return in words what a service lacks, empty when it is ready.

    A container that exited with 0 is ready: one-shot services (migrations) end like that.
    """
    if not containers:
        return "has no container"
    for container in containers:
        state = container.state
        if state.status in ("exited", "dead"):
            if state.exit_code != 0 and not may_exit:
                return f"exited with status {state.exit_code}"
        elif state.health == "unhealthy":
            return "is unhealthy"
        elif state.health == "starting":
            return "is starting"
        elif not state.running:
            return f"is {state.status}"
    return ""


async def images(stack: Stack, names: Mapping[str, object]) -> list[ServiceImage]:
    """Return which exact image each service runs, for the result document."""
    found: dict[str, ServiceImage] = {}
    for container in await stack.containers.of(stack.project):
        service = container.state.service
        if service in names:
            found.setdefault(service, ServiceImage(service, container.image, container.image_id))
    return list(found.values())
