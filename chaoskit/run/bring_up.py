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
    ChaoskitError,
    CommandFailed,
    EnvironmentFailure,
    FaultFailed,
    StackNotReady,
)
from chaoskit.plan.plan import Plan
from chaoskit.record.events import ServiceImage
from chaoskit.scenario.document import Preparation, Scenario
from chaoskit.stack.overlay import PREFIX, Layout
from chaoskit.stack.stack import Stack
from chaoskit.text import seconds_text

_POLL = 0.05
_PROXIES_DEADLINE = 30.0
_BUILD_DEADLINE = 3600.0
_LOG_TAIL = 15


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
            await _services_ready(plan, stack, within=deadline - loop.time(), but=prepared)
            begun = loop.time()
            for one in block.prepare:
                say(f"preparing `{one.service}`")
                await _prepare(one, stack)
            deadline += loop.time() - begun
        await _services_ready(plan, stack, within=deadline - loop.time())
    except CommandFailed as error:
        logs = await last_logs(stack, unready=True)
        if error.status is None:
            message = f"the stack was not up within {block.up_timeout}"
        else:
            message = f"the stack did not come up: {_gist(error.stderr)}"
        raise StackNotReady(message, logs, hint=hint_with(logs)) from error
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
            message = f"{names} could not be built: {_gist(error.stderr)}"
        raise StackNotReady(message, {}, hint="try `docker compose build`") from error
    say(f"built {names} in {seconds_text(loop.time() - begun)}")


def hint_with(logs: Mapping[str, list[str]]) -> str:
    """Return what to do about a stack that is not up, with these log lines."""
    slow = "a longer `stack.up_timeout` helps if it is only slow"
    return f"its last log lines are shown; {slow}" if logs else slow


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
    said = f"{done.out}{done.err}".splitlines()[-_LOG_TAIL:]
    raise StackNotReady(
        f"{what}: `{one.run}` {how}",
        {one.service: said} if said else {},
        hint="see `stack.prepare`",
    )


async def _services_ready(
    plan: Plan, stack: Stack, *, within: float, but: Collection[str] = ()
) -> None:
    """Return when every service is ready, `but` these. Raises `StackNotReady`."""

    async def waiting() -> dict[str, str]:
        containers = await stack.containers.of(stack.project)
        found = {}
        for name, service in plan.project.services.items():
            if service.replicas == 0 or name in but:
                continue
            mine = [c for c in containers if c.state.service == name]
            state, final = _readiness(mine, may_exit=plan.loaded.scenario.may(name, "exit"))
            if final:
                logs = await last_logs(stack, unready=True)
                raise StackNotReady(f"`{name}` {state}", logs, hint=hint_with(logs))
            if state:
                found[name] = state
        return found

    left = await until(waiting, met=lambda found: not found, within=within, every=_POLL)
    if left:
        said = ", ".join(f"`{name}` {state}" for name, state in left.items())
        timeout = plan.loaded.scenario.stack.up_timeout
        logs = await last_logs(stack, unready=True)
        raise StackNotReady(f"not ready within {timeout}: {said}", logs, hint=hint_with(logs))


def has_failed(container: Container, scenario: Scenario) -> bool:
    """Return whether a container ended with an error, stays down, and is not allowed to."""
    state = container.state
    ended = state.status in ("exited", "dead") and state.exit_code != 0 and not container.restarts
    return bool(state.service) and ended and not scenario.may(state.service, "exit")


def _readiness(containers: list[Container], *, may_exit: bool) -> tuple[str, bool]:
    """Return what is missing in words ("" when ready) and whether waiting is hopeless.

    A container that exited with 0 is ready: one-shot services (migrations) end like that.
    """
    if not containers:
        return "has no container", False
    for container in containers:
        state = container.state
        if state.status in ("exited", "dead"):
            if state.exit_code != 0 and not may_exit:
                return f"exited with status {state.exit_code}", not container.restarts
        elif state.health == "unhealthy":
            return "is unhealthy", False
        elif state.health == "starting":
            return "is starting", False
        elif not state.running:
            return f"is {state.status}", False
    return "", False


async def last_logs(stack: Stack, *, unready: bool = False) -> dict[str, list[str]]:
    """Return the last log lines per service; with `unready` only of services that are not well."""
    logs: dict[str, list[str]] = {}
    try:
        for container in await stack.containers.of(stack.project):
            state = container.state
            well = state.running and state.health in (None, "healthy")
            ours = not state.service or state.service.startswith(PREFIX)  # helpers, proxies
            if ours or (unready and well):
                continue
            lines = await stack.containers.logs(container.id, tail=_LOG_TAIL)
            if lines:
                logs.setdefault(state.service, []).extend(line.partition(" ")[2] for line in lines)
    except ChaoskitError:
        pass  # the logs explain another error: they must not hide it
    return logs


def _gist(stderr: str) -> str:
    """Return the line of Compose's output that says what went wrong."""
    lines = [line.strip() for line in stderr.strip().splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return (telling or lines or ["no output"])[-1]


async def images(stack: Stack, names: Mapping[str, object]) -> list[ServiceImage]:
    """Return which exact image each service runs, for the result document."""
    found: dict[str, ServiceImage] = {}
    for container in await stack.containers.of(stack.project):
        service = container.state.service
        if service in names:
            found.setdefault(service, ServiceImage(service, container.image, container.image_id))
    return list(found.values())
