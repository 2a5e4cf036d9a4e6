"""Faults on the containers of a service: what was, what is, and bringing it back.

The undo is `{"holder", "service", "whole", "replicas": [{"replica", "id", "name", "started_at",
"status", "restart_count"}]}`. Replicas are looked up by number again at heal time: a container may
have a new id by then. `whole` says that every replica was hit, so that nobody answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.records import ContainerState, Json
from chaoskit.tasks import end

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.faults._replicas import Replica
    from chaoskit.stack.stack import Stack

HEAL_DEADLINE = 30.0
_POLL = 0.02


async def describe(
    stack: Stack, holder: str, service: str, replica: Replica | None
) -> Mapping[str, Json]:
    """Return the undo data. Raises `FaultFailed` when a target is not running now."""
    return undo_for(holder, *await chosen(stack, holder, service, replica))


async def chosen(
    stack: Stack, holder: str, service: str, replica: Replica | None
) -> tuple[list[Container], bool]:
    """Return the containers to hit, and whether these are all of the service.

    Raises `FaultFailed` when there is none or one of them is not running now.
    """
    found = await stack.replicas(service)
    hit = found if replica is None else replica.choose(found, f"{stack.seed} {holder}")
    for container in hit:
        if not container.state.running:
            raise FaultFailed(f"`{container.name}` is {container.state.status}, not running")
    return hit, len(hit) == len(found)


def undo_for(holder: str, hit: Sequence[Container], whole: bool) -> dict[str, Json]:
    """Return the undo data for these containers, which are of one service."""
    return {
        "holder": holder,
        "service": hit[0].state.service,
        "whole": whole,
        "replicas": [row_of(container) for container in hit],
    }


def row_of(container: Container) -> dict[str, Json]:
    """Return what the undo data holds about one container."""
    return {
        "replica": container.state.replica,
        "id": container.id,
        "name": container.name,
        "started_at": container.state.started_at,
        "status": container.state.status,
        "restart_count": container.state.restart_count,
    }


async def targets(stack: Stack, undo: Mapping[str, Json]) -> list[Container]:
    """Return the containers of the undo data as they are now."""
    wanted = {row["replica"] for row in rows(undo)}
    found = await stack.containers.of(stack.project, str(undo["service"]))
    return [container for container in found if container.state.replica in wanted]


async def close_paths(stack: Stack, undo: Mapping[str, Json]) -> None:
    """Refuse connections on the proxies to a service that is down as a whole: behind an open
    proxy its clients would see "connect, then EOF" instead of a refused connection."""
    if undo["whole"]:
        await stack.close_proxies(stack.proxies_to(str(undo["service"])), str(undo["holder"]))


async def stop(stack: Stack, undo: Mapping[str, Json], grace: float | None) -> None:
    """Stop every target politely and close its paths as soon as the last one is down.

    Not later: Toxiproxy would dial an address that is gone, for seconds, and block. Not earlier:
    requests in flight are the service's to finish.
    """
    found = await targets(stack, undo)
    longest = max((grace if grace is not None else c.stop_grace for c in found), default=0.0)

    async def close_when_down() -> None:
        await wait_down(stack, undo, longest + HEAL_DEADLINE)
        await close_paths(stack, undo)

    closing = asyncio.create_task(close_when_down())
    try:
        await asyncio.gather(*(stack.containers.stop(container.id, grace) for container in found))
        await closing
    finally:
        await end(closing)


async def wait_down(stack: Stack, undo: Mapping[str, Json], within: float = HEAL_DEADLINE) -> None:
    """Return when the engine says that no target runs any more. Raises `FaultFailed`."""

    async def down() -> bool:
        return not any(container.state.running for container in await targets(stack, undo))

    if not await until(down, within=within, every=_POLL):
        raise FaultFailed(f"`{undo['service']}` still runs after {within:.0f} s")


async def open_paths(stack: Stack, undo: Mapping[str, Json]) -> None:
    if undo["whole"]:
        await stack.open_proxies(stack.proxies_to(str(undo["service"])), str(undo["holder"]))


async def bring_back(stack: Stack, undo: Mapping[str, Json]) -> None:
    """Start what is down, thaw what is frozen, open the proxies; idempotent."""
    # With both the paths must open even when a start fails: collect, then raise.
    results = await asyncio.gather(
        *(_revive(stack, container) for container in await targets(stack, undo)),
        return_exceptions=True,
    )
    await open_paths(stack, undo)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def all_in(stack: Stack, undo: Mapping[str, Json], *statuses: str) -> tuple[bool, str]:
    """Read back whether every target has one of these statuses."""
    found = await targets(stack, undo)
    wanted = len(rows(undo))
    holds = len(found) == wanted and all(c.state.status in statuses for c in found)
    return holds, ", ".join(said(container.state) for container in found) or "no container left"


async def restarted(stack: Stack, undo: Mapping[str, Json]) -> tuple[bool, str]:
    """Read back whether every target runs with another start time than before."""
    before = {row["replica"]: row["started_at"] for row in rows(undo)}
    found = await targets(stack, undo)
    parts = []
    holds = len(found) == len(before)
    for container in found:
        was, now = before[container.state.replica], container.state.started_at
        holds = holds and container.state.running and now != was
        parts.append(f"{container.name} started {clock(was)} -> {clock(now)}")
    return holds, ", ".join(parts) or "no container left"


def said(state: ContainerState) -> str:
    """Say a container's state in words: `app-redis-1 exited (137)`."""
    code = f" ({state.exit_code})" if state.status in ("exited", "dead") else ""
    return f"{state.name} {state.status}{code}"


async def pairs(
    stack: Stack, undo: Mapping[str, Json]
) -> list[tuple[Mapping[str, Any], Container | None]]:
    """Return each row of the undo data with its container as it is now, None where it is gone."""
    now = {container.state.replica: container for container in await targets(stack, undo)}
    return [(row, now.get(row["replica"])) for row in rows(undo)]


async def _revive(stack: Stack, container: Container) -> None:
    if container.state.status == "paused":
        await stack.containers.unpause(container.id)
    elif not container.state.running:
        await stack.containers.start(container.id)

    async def runs() -> bool:
        return (await stack.containers.inspect(container.id)).state.running

    if not await until(runs, within=HEAL_DEADLINE, every=_POLL):
        raise FaultFailed(f"`{container.name}` does not run again {HEAL_DEADLINE:.0f} s later")


def rows(undo: Mapping[str, Json]) -> Sequence[Mapping[str, Any]]:
    """Return the undo data of each container."""
    return cast("Sequence[Mapping[str, Any]]", undo["replicas"])


def clock(started_at: str) -> str:
    """Return the time of day of an engine's timestamp."""
    return started_at.partition("T")[2][:12] or started_at
