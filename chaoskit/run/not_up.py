"""Why a stack is not up: who died, which image is missing, or only that it took too long."""

from __future__ import annotations

from collections.abc import Mapping

from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, CommandFailed, StackNotReady
from chaoskit.judge.excerpts import tells
from chaoskit.plan.plan import Plan
from chaoskit.scenario.document import Scenario
from chaoskit.stack.overlay import PREFIX
from chaoskit.stack.stack import Stack
from chaoskit.text import count, one_line

_LOG_TAIL = 15
_WIDTH = 200  # characters of a log line in a sentence
_SHOWN = "its last log lines are shown"
_SLOW = "a longer `stack.up_timeout` helps if it is only slow"

Logs = Mapping[str, list[str]]


def has_ended(container: Container, scenario: Scenario) -> bool:
    """Return whether a container is down, nothing starts it again, and it may not be down."""
    state = container.state
    down = state.status in ("exited", "dead") and not container.restarts
    return bool(state.service) and down and not scenario.may(state.service, "exit")


def has_failed(container: Container, scenario: Scenario) -> bool:
    """Return whether a container ended for good and with an error: one that ended with 0 may be
    a job that is done."""
    return container.state.exit_code != 0 and has_ended(container, scenario)


def death(container: Container, logs: Logs) -> str:
    """Return in words how a container ended, with the line of its log that tells the most."""
    state = container.state
    what = f"exited with code {state.exit_code}"
    if state.oom_killed:
        what = f"was killed because its memory ran out (code {state.exit_code})"
    return f"`{state.service}` {what} and nothing starts it again{last_line(state.service, logs)}"


def loop(container: Container, logs: Logs) -> str:
    """Return in words that a container is started again and again."""
    state = container.state
    times = count(state.restart_count, "time")
    return f"`{state.service}` was restarted {times}{last_line(state.service, logs)}"


def last_line(service: str, logs: Logs) -> str:
    """Return the last line of a service's log that looks like an error, else its last one."""
    lines = [line for line in logs.get(service, ()) if line.strip()]
    told = [line for line in lines if tells(line)] or lines
    return f", its log says: {one_line(told[-1], _WIDTH)}" if told else ""


def hint_with(logs: Logs, *, slow: bool = True) -> str | None:
    """Return what to do about a stack that is not up, with these log lines; `slow` says that
    nothing but time is known to be missing."""
    return "; ".join([_SHOWN] * bool(logs) + [_SLOW] * slow) or None


async def not_up(error: CommandFailed, plan: Plan, stack: Stack) -> StackNotReady:
    """Return what is wrong with a stack that `docker compose up` did not bring up."""
    timeout = plan.loaded.scenario.stack.up_timeout
    late = error.status is None
    if missing := await _missing_images(plan, stack):
        names = ", ".join(f"`{image}` of `{service}`" for image, service in missing.items())
        how = f"not pulled within {timeout}" if late else f"not to be had: {gist(error.stderr)}"
        pull = " && ".join(f"docker pull {image}" for image in missing)
        return StackNotReady(
            f"image {names} is not on this machine and was {how}",
            {},
            hint=f"build or tag it under this name, or try `{pull}`",
        )
    logs = await last_logs(stack, unready=True)
    if died := await deaths(stack, plan.loaded.scenario, logs):
        return StackNotReady(died, logs, hint=hint_with(logs, slow=False))
    message = f"the stack did not come up: {gist(error.stderr)}"
    if late:
        message = f"the stack was not up within {timeout}"
    return StackNotReady(message, logs, hint=hint_with(logs, slow=late))


async def deaths(stack: Stack, scenario: Scenario, logs: Logs) -> str:
    """Return in words which containers failed; empty where none did, or nobody can tell."""
    try:
        containers = await stack.containers.of(stack.project)
    except ChaoskitError:
        return ""
    return "; ".join(death(one, logs) for one in containers if has_failed(one, scenario))


async def _missing_images(plan: Plan, stack: Stack) -> dict[str, str]:
    """Return the images that the engine has not, each with a service that needs it; none where
    nobody can tell."""
    wanted = {
        service.image: name
        for name, service in plan.project.services.items()
        if service.image and not service.builds and service.replicas
    }
    try:
        return {
            image: name
            for image, name in wanted.items()
            if not await stack.engine.images.has(image)
        }
    except ChaoskitError:
        return {}


async def last_logs(stack: Stack, *, unready: bool = False) -> dict[str, list[str]]:
    """Return the last log lines per service; with `unready` only of services that are not well."""
    logs: dict[str, list[str]] = {}
    try:
        for container in await stack.containers.of(stack.project):
            state = container.state
            well = state.running and state.health in (None, "healthy") and not state.restart_count
            ours = not state.service or state.service.startswith(PREFIX)  # helpers, proxies
            if ours or (unready and well):
                continue
            lines = await stack.containers.logs(container.id, tail=_LOG_TAIL)
            if lines:
                logs.setdefault(state.service, []).extend(line.partition(" ")[2] for line in lines)
    except ChaoskitError:
        pass  # the logs explain another error: they must not hide it
    return logs


def gist(stderr: str) -> str:
    """Return the line of Compose's output that says what went wrong."""
    lines = [line.strip() for line in stderr.strip().splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return (telling or lines or ["no output"])[-1]
