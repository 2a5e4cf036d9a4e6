"""The gate: waiting for the steady state, but not for one that cannot come any more."""

from __future__ import annotations

import asyncio
import contextlib

from chaoskit.docker.containers import Container
from chaoskit.errors import EnvironmentFailure
from chaoskit.run.clients import Clients, GateUnmet
from chaoskit.run.not_up import death, has_ended, has_failed, last_logs, loop
from chaoskit.scenario.document import Scenario
from chaoskit.stack.stack import Stack

_LOOK = 1.0  # seconds between two looks at the containers
_UNMET = "the steady state was not met, nothing was injected"


async def steady(clients: Clients, stack: Stack, scenario: Scenario) -> None:
    """Return when every probe was good for long enough and nothing has failed.

    What died and is not started again ends the wait at once: the message begins with it. Raises
    `GateUnmet`, in a group where that ended the wait.
    """
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(clients, stack, scenario))
        try:
            await clients.gate(scenario.timeline.gate)
        except GateUnmet as error:
            why: list[str] = []
            with contextlib.suppress(EnvironmentFailure):  # it must not hide this one
                why = await _unwell(clients, stack, scenario, looping=True)
            raise GateUnmet("; ".join([*why, error.message])) from error
        watching.cancel()
    # Look again: a job may have been running still when the stack was up.
    await _refuse_dead(clients, stack, scenario)


async def _watch(clients: Clients, stack: Stack, scenario: Scenario) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        with contextlib.suppress(EnvironmentFailure):  # an engine that is away may be back
            await _refuse_dead(clients, stack, scenario)


async def _refuse_dead(clients: Clients, stack: Stack, scenario: Scenario) -> None:
    if why := await _unwell(clients, stack, scenario):
        raise GateUnmet("; ".join([*why, _UNMET]))


async def _unwell(
    clients: Clients, stack: Stack, scenario: Scenario, *, looping: bool = False
) -> list[str]:
    """Return in words who is down for good, with `looping` also who is started again and again."""
    containers = await stack.containers.of(stack.project)
    dead = _dead(containers, clients.failing(), scenario)
    again = [one for one in containers if looping and one.restarts and one.state.restart_count]
    if not dead and not again:
        return []
    logs = await last_logs(stack, unready=True)
    return [*(death(one, logs) for one in dead), *(loop(one, logs) for one in again)]


def _dead(containers: list[Container], failing: list[str], scenario: Scenario) -> list[Container]:
    """Return who failed, and who ended without an error although a probe asks for it in vain: any
    other that ended so may be a job that is done."""
    gone = []
    for name in dict.fromkeys(failing):
        mine = [one for one in containers if one.state.service == name]
        if all(has_ended(one, scenario) for one in mine):
            gone += mine
    return [one for one in containers if one in gone or has_failed(one, scenario)]
