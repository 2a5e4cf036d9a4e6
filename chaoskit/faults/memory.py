"""`memory`: a service that gets less memory, and what the kernel then does to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.docker.limits import Limits
from chaoskit.errors import EnvironmentFailure, FaultFailed
from chaoskit.faults.contract import Forecast, Hold, Receipt, fault
from chaoskit.faults.engines import containers, limits
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.faults.engines.limits import size_text
from chaoskit.fields import Size

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.stack import Stack

_LEAST = 6 * 1024**2  # the engine takes no less
_LARGEST_PAGE = 65536  # bytes
_NEAR = 0.95  # of the limit: the kernel takes back pages before it says no


class MemoryRow(ReplicaRow):
    """A container with the limits it had, and how often memory had been refused at first."""

    limits: Limits
    limit_hits: int


class MemoryUndo(ContainersUndo[MemoryRow]):
    """The limits to go back to; `limit` is in bytes, `since` in seconds of the engine's clock."""

    limit: int
    since: float


@fault("memory")
class Memory(ServiceFault[MemoryUndo]):
    """Give a service little memory and no swap; past the limit the kernel kills its processes.

    `limit` is for each replica. What exceeds it is killed (OOM); the service's restart policy may
    bring it back, and the evidence says how often each happened. The heal starts what the kernel
    killed. Where the kernel has control groups v1, a limit below what the service uses now is
    refused. A limit that the service never comes near is not felt, and the run says so.
    """

    undo_model = MemoryUndo
    risks_processes = True
    needs = ("memory-limit",)
    example = "{ at: 2s, for: 5s, fault: memory, service: redis, limit: 64MiB }"

    limit: Annotated[Size, Field(ge=_LEAST)]

    def holds(self) -> Sequence[Hold]:
        return limits.holds("memory", self.service, self._some)

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.target} gets at most {size_text(self.limit)} of memory and no swap",
            "set the memory limits that it had before; start what the kernel killed",
            "a host that runs out of memory: other containers keep theirs",
        )

    async def prepare(self, stack: Stack) -> MemoryUndo:
        hit, whole = await self.chosen(stack)
        rows = []
        for container in hit:
            found = await stack.limits.limits(container.id)
            if found.memory is not None and found.memory <= self.limit:
                raise FaultFailed(
                    f"`{container.name}` is limited to {size_text(found.memory)} already"
                )
            if found.memory_reserved > self.limit:
                raise FaultFailed(
                    f"`{container.name}` has {size_text(found.memory_reserved)} reserved:"
                    f" the engine takes no limit below that"
                )
            used = await stack.limits.consumption(container.id)
            rows.append(MemoryRow.of(container, limits=found, limit_hits=used.limit_hits))
        since = (await stack.machine.info()).now
        limits.claim(stack, "memory", self.name, hit)
        return self.undo_for(rows, whole, limit=int(self.limit), since=since)

    async def inject(self, stack: Stack, undo: MemoryUndo) -> None:
        for container in await containers.targets(stack, undo):
            try:
                await stack.limits.limit_memory(container.id, int(self.limit), int(self.limit))
            except EnvironmentFailure as error:
                if "busy" not in error.message:
                    raise
                used = await stack.limits.consumption(container.id)
                raise FaultFailed(
                    f"`{container.name}` uses {size_text(used.memory)} already, and this kernel"
                    f" (control groups v1) cannot go down to {size_text(self.limit)} while it does"
                ) from error

    @classmethod
    async def heal(cls, stack: Stack, undo: MemoryUndo) -> None:
        for row, now in await containers.pairs(stack, undo):
            if now is None:
                continue
            await stack.limits.limit_memory(now.id, row.limits.memory, row.limits.memory_and_swap)
            if _killed(now):
                await stack.containers.start(now.id)
        limits.give_up(stack, "memory", undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: MemoryUndo) -> Receipt:
        holds, parts = True, []
        for row, now in await containers.pairs(stack, undo):
            memory = None
            if now is not None:
                memory = (await stack.limits.limits(now.id)).memory
                if memory is not None and now.state.running:  # what the kernel says, if it runs
                    used = await stack.limits.consumption(now.id)
                    memory = used.memory_limit or memory
            # The kernel counts in pages, and rounds down to whole ones.
            least = undo.limit - _LARGEST_PAGE
            holds = holds and memory is not None and least < memory <= undo.limit
            parts.append(f"{row.name} may use {_amount(memory)}")
        return Receipt(holds, ", ".join(parts))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: MemoryUndo) -> Receipt:
        holds, parts = True, []
        for row, now in await containers.pairs(stack, undo):
            if now is None:
                holds = False
                parts.append(f"{row.name} is gone")
                continue
            found, was = await stack.limits.limits(now.id), row.limits
            same = (found.memory, found.memory_and_swap) == (was.memory, was.memory_and_swap)
            holds = holds and same and not _killed(now)
            dead = ", but is dead of it" if _killed(now) else ""
            parts.append(f"{now.name} may use {_amount(found.memory)}{dead}")
        return Receipt(holds, ", ".join(parts))

    async def effect(self, stack: Stack, undo: MemoryUndo) -> Receipt | None:
        events = await stack.events.since(stack.project, undo.since, self.service)
        felt, parts = False, []
        for row, now in await containers.pairs(stack, undo):
            mine = [e.action for e in events if e.replica == row.replica]
            kills, starts = mine.count("oom"), mine.count("start")
            killed = now is not None and now.state.oom_killed
            if kills or killed:
                felt = True
                end = "" if now is not None and now.state.running else " and is down"
                parts.append(
                    f"{row.name} ran out of memory {_times(max(kills, 1))},"
                    f" was started again {_times(starts)}{end}"
                )
                continue
            if now is None or not now.state.running:
                parts.append(f"{row.name} does not run")
                continue
            used = await stack.limits.consumption(now.id)
            hits = used.limit_hits - row.limit_hits
            near = used.memory >= _NEAR * self.limit or hits > 0
            felt = felt or near
            often = f", was refused memory at first {_times(hits)}" if hits > 0 else ""
            parts.append(
                f"{now.name} uses {size_text(used.memory)} of {size_text(self.limit)}{often}"
            )
        return Receipt(felt, "; ".join(parts))


def _amount(memory: int | None) -> str:
    return "all the memory of the host" if memory is None else size_text(memory)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _killed(container: Container) -> bool:
    state = container.state
    return state.oom_killed and state.status in ("exited", "dead")
