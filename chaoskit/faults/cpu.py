"""`cpu`: a service that gets less of a processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from chaoskit.docker.limits import Limits
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Hold, Receipt, fault
from chaoskit.faults.engines import containers, limits
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.fields import Percentage
from chaoskit.tasks import together
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack

_CLOSE = 0.005  # cores: what rounding to microseconds of a period can take


def _enough(share: Percentage) -> Percentage:
    if share < 0.01:
        raise ValueError("`limit` must be at least 1% of a core: the kernel takes no less")
    return share


class CpuRow(ReplicaRow):
    """A container with the limits it had, and the throttled periods, all periods and the seconds
    throttled that the kernel had counted."""

    limits: Limits
    throttled: tuple[int, int, float]


class CpuUndo(ContainersUndo[CpuRow]):
    """The limits to go back to, in cores."""

    cores: float


@fault("cpu")
class Cpu(ServiceFault[CpuUndo]):
    """Give a service only a share of one core; its processes wait for the rest of each period.

    `limit` is a share of one core, for each replica. The kernel stops a container that used up its
    share until the next period of 100 ms, so it is slow in bursts and not evenly. A limit that the
    service never reaches is not felt, and the run says so.
    """

    undo_model = CpuUndo
    restarts = False
    needs = ("cpu-limit",)
    example = "{ at: 2s, for: 5s, fault: cpu, service: redis, limit: 20% }"

    limit: Annotated[Percentage, AfterValidator(_enough)]

    def holds(self) -> Sequence[Hold]:
        return limits.holds("cpu", self.service, self._some)

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.target} gets at most {self.limit} of one core",
            "set the CPU limit that it had before",
            "a busy host: other containers are not slowed down",
        )

    async def prepare(self, stack: Stack) -> CpuUndo:
        hit, whole = await self.chosen(stack)
        rows = []
        for container in hit:
            found = await stack.limits.limits(container.id)
            if found.cores is not None and found.cores <= self.limit:
                raise FaultFailed(
                    f"`{container.name}` is limited to {_cores(found.cores)} already,"
                    f" no more than {self.limit} of one core"
                )
            used = await stack.limits.consumption(container.id)
            throttled = (used.throttled_periods, used.periods, used.throttled_seconds)
            rows.append(CpuRow.of(container, limits=found, throttled=throttled))
        limits.claim(stack, "cpu", self.name, hit)
        return self.undo_for(rows, whole, cores=float(self.limit))

    async def inject(self, stack: Stack, undo: CpuUndo) -> None:
        await together(
            *(
                stack.limits.limit_cores(now.id, float(self.limit), row.limits)
                for row, now in await containers.pairs(stack, undo)
                if now is not None
            )
        )

    @classmethod
    async def heal(cls, stack: Stack, undo: CpuUndo) -> None:
        for row, now in await containers.pairs(stack, undo):
            if now is not None:
                await stack.limits.limit_cores(now.id, row.limits.cores, row.limits)
        limits.give_up(stack, "cpu", undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: CpuUndo) -> Receipt:
        return await _read_back(stack, undo, {row.replica: undo.cores for row in undo.replicas})

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: CpuUndo) -> Receipt:
        before = {row.replica: row.limits.cores for row in undo.replicas}
        return await _read_back(stack, undo, before)

    async def effect(self, stack: Stack, undo: CpuUndo) -> Receipt | None:
        felt, parts = False, []
        for row, now in await containers.pairs(stack, undo):
            if now is None or not now.state.running:
                parts.append(f"{row.name} does not run")
                continue
            used = await stack.limits.consumption(now.id)
            throttled, periods, seconds = row.throttled
            if now.state.started_at != row.started_at or used.periods < periods:
                throttled, periods, seconds = 0, 0, 0.0  # it restarted: its counters did too
            waited = used.throttled_seconds - seconds
            stopped = used.throttled_periods - throttled
            if stopped > 0:
                felt = True
                parts.append(
                    f"{now.name} was throttled in {stopped} of {used.periods - periods} periods"
                    f" and waited {seconds_text(waited)} for a processor"
                )
            else:
                parts.append(f"{now.name} never wanted more than {self.limit} of a core")
        return Receipt(felt, "; ".join(parts))


async def _read_back(stack: Stack, undo: CpuUndo, wanted: dict[int, float | None]) -> Receipt:
    holds, parts = True, []
    for row, now in await containers.pairs(stack, undo):
        if now is None:
            holds = False
            parts.append(f"{row.name} is gone")
            continue
        cores, due = (await stack.limits.limits(now.id)).cores, wanted[row.replica]
        same = cores is due if None in (cores, due) else abs((cores or 0) - (due or 0)) < _CLOSE
        holds = holds and same
        parts.append(f"{now.name} may use {_cores(cores)}")
    return Receipt(holds, ", ".join(parts))


def _cores(cores: float | None) -> str:
    return (
        "every core"
        if cores is None
        else f"{cores:.3g} of a core"
        if cores < 1
        else f"{cores:.3g} cores"
    )
