"""Faults on the containers of a service: what was, what is, and bringing it back.

Replicas are looked up by number again at heal time: a container may have a new id by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, cast

from typing_extensions import TypeVar

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults._replicas import Replica
from chaoskit.faults.contract import Fault, Hold, Receipt, Undo
from chaoskit.fields import Model, ServiceName
from chaoskit.records import ContainerState
from chaoskit.tasks import end, together

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

HEAL_DEADLINE = 30.0
_POLL = 0.02


class ReplicaRow(Model):
    """One container as it was before the fault."""

    replica: int
    id: str
    name: str
    started_at: str
    status: str
    restart_count: int

    @classmethod
    def of(cls, container: Container, **more: Any) -> Self:
        """Return what is known of a container; `more` are the fields that a kind adds."""
        state = container.state
        return cls(
            replica=state.replica,
            id=container.id,
            name=container.name,
            started_at=state.started_at,
            status=state.status,
            restart_count=state.restart_count,
            **more,
        )


R_co = TypeVar("R_co", bound=ReplicaRow, default=ReplicaRow, covariant=True)


class ContainersUndo(Undo, Generic[R_co]):
    """The containers that a fault hits; `whole` says that they are all of their service, so that
    the service does not answer while they are down."""

    holder: str
    service: str
    whole: bool
    replicas: tuple[R_co, ...]


C = TypeVar("C", bound=ContainersUndo, default=ContainersUndo)


async def targets(stack: Stack, undo: ContainersUndo) -> list[Container]:
    """Return the containers of the undo data as they are now."""
    wanted = {row.replica for row in undo.replicas}
    found = await stack.containers.of(stack.project, undo.service)
    return [container for container in found if container.state.replica in wanted]


async def close_paths(stack: Stack, undo: ContainersUndo) -> None:
    """Refuse connections on the proxies to a service that is down as a whole: behind an open
    proxy its clients would see "connect, then EOF" instead of a refused connection."""
    if undo.whole:
        await stack.close_proxies(stack.proxies_to(undo.service), undo.holder)


async def stop(stack: Stack, undo: ContainersUndo, grace: float | None) -> None:
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
        await together(*(stack.containers.stop(container.id, grace) for container in found))
        await closing
    finally:
        await end(closing)


async def wait_down(stack: Stack, undo: ContainersUndo, within: float = HEAL_DEADLINE) -> None:
    """Return when the engine says that no target runs any more. Raises `FaultFailed`."""

    async def down() -> bool:
        return not any(container.state.running for container in await targets(stack, undo))

    if not await until(down, within=within, every=_POLL):
        raise FaultFailed(f"`{undo.service}` still runs after {within:.0f} s")


async def open_paths(stack: Stack, undo: ContainersUndo) -> None:
    if undo.whole:
        await stack.open_proxies(stack.proxies_to(undo.service), undo.holder)


async def bring_back(stack: Stack, undo: ContainersUndo) -> None:
    """Start what is down, thaw what is frozen, open the proxies; idempotent."""
    try:
        await together(*(_revive(stack, container) for container in await targets(stack, undo)))
    finally:  # the paths must open even when a start fails
        await open_paths(stack, undo)


async def all_in(stack: Stack, undo: ContainersUndo, *statuses: str) -> Receipt:
    """Read back whether every target has one of these statuses."""
    found = await targets(stack, undo)
    wanted = len(undo.replicas)
    holds = len(found) == wanted and all(c.state.status in statuses for c in found)
    text = ", ".join(said(container.state) for container in found) or "no container left"
    return Receipt(holds, text)


async def restarted(stack: Stack, undo: ContainersUndo) -> Receipt:
    """Read back whether every target runs with another start time than before."""
    before = {row.replica: row.started_at for row in undo.replicas}
    found = await targets(stack, undo)
    parts = []
    holds = len(found) == len(before)
    for container in found:
        was, now = before[container.state.replica], container.state.started_at
        holds = holds and container.state.running and now != was
        parts.append(f"{container.name} started {clock(was)} -> {clock(now)}")
    return Receipt(holds, ", ".join(parts) or "no container left")


def said(state: ContainerState) -> str:
    """Return a container's state in words: `app-redis-1 exited (137)`."""
    code = f" ({state.exit_code})" if state.status in ("exited", "dead") else ""
    return f"{state.name} {state.status}{code}"


async def pairs(stack: Stack, undo: ContainersUndo[R_co]) -> list[tuple[R_co, Container | None]]:
    """Return each row of the undo data with its container as it is now, None where it is gone."""
    now = {container.state.replica: container for container in await targets(stack, undo)}
    return [(row, now.get(row.replica)) for row in undo.replicas]


async def _revive(stack: Stack, container: Container) -> None:
    if container.state.status == "paused":
        await stack.containers.unpause(container.id)
    elif not container.state.running:
        await stack.containers.start(container.id)

    async def runs() -> bool:
        return (await stack.containers.inspect(container.id)).state.running

    if not await until(runs, within=HEAL_DEADLINE, every=_POLL):
        raise FaultFailed(f"`{container.name}` did not run again within {HEAL_DEADLINE:.0f} s")


def clock(started_at: str) -> str:
    """Return the time of day of an engine's timestamp."""
    return started_at.partition("T")[2][:12] or started_at


class ServiceFault(Fault[C], Generic[C]):
    """A fault on the containers of one service: all replicas, or those that `replica` chooses."""

    undo_model: ClassVar[type[Undo]] = ContainersUndo
    restarts: ClassVar[bool] = True  # or stops or freezes containers, so that others may mind

    stops: ClassVar[bool] = False  # the containers do not run while it is in force

    service: ServiceName
    replica: Replica | None = None

    @property
    def target(self) -> str:
        return self.service if self.replica is None else f"{self.service}[{self.replica}]"

    def services(self) -> Sequence[str]:
        return [self.service]

    def holds(self) -> Sequence[Hold]:
        return [Hold.running(self.service, self._some)] if self.stops else ()

    def wants(self) -> Sequence[Hold]:
        return [Hold.running(self.service, self._some)]

    @property
    def _some(self) -> str:
        """The replicas as a `Hold` names them; what the run chooses is nobody else's choice."""
        if self.replica is None:
            return ""
        chosen = self.replica.number
        return f"{self.replica} of {self.name}" if chosen is None else str(chosen)

    def restarts_services(self) -> Sequence[str]:
        return [self.service] if self.restarts else ()

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return stack.proxies_to(self.service)[:1] if self.replica is None else ()

    async def chosen(self, stack: Stack) -> tuple[list[Container], bool]:
        """Return the containers to hit, and whether these are all of the service.

        Raises `FaultFailed` when there is none or one of them is not running now.
        """
        found = await stack.replicas(self.service)
        hit = found
        if self.replica is not None:
            hit = self.replica.choose(found, f"{stack.seed} {self.name}")
        for container in hit:
            if not container.state.running:
                raise FaultFailed(f"`{container.name}` is {container.state.status}, not running")
        return hit, len(hit) == len(found)

    def undo_for(self, rows: Iterable[ReplicaRow], whole: bool, **more: Any) -> C:
        """Return the undo data for these containers; `more` are the fields that a kind adds."""
        fields = {"holder": self.name, "service": self.service, "whole": whole, **more}
        return cast("C", self.undo_model.model_validate({**fields, "replicas": tuple(rows)}))

    async def prepare(self, stack: Stack) -> C:
        hit, whole = await self.chosen(stack)
        return self.undo_for([ReplicaRow.of(container) for container in hit], whole)

    @classmethod
    async def heal(cls, stack: Stack, undo: C) -> None:
        await bring_back(stack, undo)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: C) -> Receipt:
        return await all_in(stack, undo, "running")
