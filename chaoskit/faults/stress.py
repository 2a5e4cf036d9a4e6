"""`stress`: a noisy neighbour on the processors of a service."""

from __future__ import annotations

import contextlib
import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from chaoskit.docker.call import NoSuchContainer
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.faults.engines.limits import size_text
from chaoskit.fields import Size

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.stack import Stack

_MARGIN = 30  # seconds that the load outlives its lease, if it is not ended
_LONGEST = 3600  # seconds, of a load without a lease
_OWN_MEMORY = 256 * 1024**2  # bytes, for the workers themselves
_DEFAULT = Size(64 * 1024**2)
_SHARE_OF_HOST = 0.5  # the most memory it may take
_BUSY = 0.05  # cores: less than this, and the load got no processor at all


class StressUndo(ContainersUndo):
    """The helper container that makes the load, and what it was asked for."""

    helper: str
    load: str
    workers: int
    cpuset: str


@fault("stress")
class Stress(ServiceFault[StressUndo]):
    """Put load on the processors or the memory of the host that a service runs on.

    A helper container beside the service runs `workers` of stress-ng, on the CPUs that the service
    may use. It is a noisy neighbour: it takes from the whole host, and does not count against the
    limits of the service. `load: memory` keeps writing to `memory` bytes in all. The load ends by
    itself soon after its lease, even when it is not healed.
    """

    undo_model = StressUndo
    restarts = False
    needs = ("helper",)
    example = "{ at: 2s, for: 5s, fault: stress, service: redis, workers: 2 }"

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    load: Literal["cpu", "memory"] = "cpu"
    memory: Annotated[Size | None, Field(ge=1024**2, le=64 * 1024**3)] = None

    @model_validator(mode="after")
    def _memory_is_for_memory(self) -> Stress:
        if self.memory is not None and self.load != "memory":
            raise ValueError("`memory` is for `load: memory`")
        return self

    def forecast(self) -> Forecast:
        what = "" if self.load == "cpu" else f" on {size_text(self.memory or _DEFAULT)} of memory"
        return Forecast(
            f"{self.workers} busy workers{what} beside {self.target}, on the same host and CPUs",
            "remove the helper container that makes the load",
            "load inside the service: it does not count against the limits of the service",
        )

    async def prepare(self, stack: Stack) -> StressUndo:
        hit, whole = await self.chosen(stack)
        host = await stack.machine.info()
        if self.load == "memory" and (self.memory or _DEFAULT) > _SHARE_OF_HOST * host.memory:
            raise FaultFailed(
                f"`memory` is more than half of the host's {size_text(host.memory)}:"
                " the host could run out of it and kill any process"
            )
        cpusets = {(await stack.limits.limits(c.id)).cpuset for c in hit}
        return self.undo_for(
            map(ReplicaRow.of, hit),
            whole,
            helper=f"{stack.project}-chaoskit-{self.name}",
            load=self.load,
            workers=self.workers,
            # Replicas on different CPUs: the load goes everywhere.
            cpuset=cpusets.pop() if len(cpusets) == 1 else "",
        )

    async def inject(self, stack: Stack, undo: StressUndo) -> None:
        seconds = _LONGEST if self.for_ is None else math.ceil(self.for_) + _MARGIN
        size = int(self.memory or _DEFAULT)
        argv = ["stress-ng", "--quiet", "--timeout", f"{seconds}s"]
        if self.load == "cpu":
            argv += ["--cpu", str(self.workers)]
        else:
            each = max(4096, size // self.workers)
            argv += ["--vm", str(self.workers), "--vm-bytes", str(each), "--vm-keep"]
        await stack.helpers.start(
            stack.project,
            argv,
            name=undo.helper,
            cpuset=undo.cpuset,
            memory=_OWN_MEMORY + (2 * size if self.load == "memory" else 0),
        )

    @classmethod
    async def heal(cls, stack: Stack, undo: StressUndo) -> None:
        await stack.recreate.remove(undo.helper, volumes=True)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: StressUndo) -> Receipt:
        helper = await _helper(stack, undo)
        if helper is None:
            return Receipt(False, f"{undo.helper} is not there")
        if not helper.state.running:
            return Receipt(False, f"the load ended by itself: {containers.said(helper.state)}")
        cpus = f"CPUs {undo.cpuset}" if undo.cpuset else "every CPU"
        return Receipt(True, f"{helper.name} runs {undo.workers} {undo.load} workers on {cpus}")

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: StressUndo) -> Receipt:
        helper = await _helper(stack, undo)
        return Receipt(helper is None, f"{undo.helper} is {'gone' if helper is None else 'there'}")

    async def effect(self, stack: Stack, undo: StressUndo) -> Receipt | None:
        helper = await _helper(stack, undo)
        if helper is None or not helper.state.running:
            return Receipt(False, "the load is not running any more")
        used = await stack.limits.consumption(helper.id)
        now = (await stack.machine.info()).now
        age = now - datetime.fromisoformat(helper.state.started_at).timestamp()
        cores = used.cpu_seconds / max(age, 0.001)
        text = f"the load used {cores:.2f} cores on average"
        if self.load == "memory":
            wanted = int(self.memory or _DEFAULT)
            text += f" and {size_text(used.memory)} of memory"
            return Receipt(used.memory >= wanted / 2, text)
        return Receipt(cores >= _BUSY, text)


async def _helper(stack: Stack, undo: StressUndo) -> Container | None:
    with contextlib.suppress(NoSuchContainer):
        return await stack.containers.inspect(undo.helper)
    return None
