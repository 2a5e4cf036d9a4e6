"""`pause`: every process of a service frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ServiceFault
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack


@fault("pause")
class Pause(ServiceFault):
    """Freeze every process of a service; connections are accepted and stay silent.

    The kernel goes on accepting connections for it until its backlog is full.
    """

    stops = True
    example = "{ at: 2s, for: 3s, fault: pause, service: redis }"

    def forecast(self) -> Forecast:
        return Forecast(
            f"every process of {self.target} frozen by the cgroup freezer",
            "thaw the same containers",
            "a dead host: its kernel still answers, accepts and acknowledges",
        )

    async def inject(self, stack: Stack, undo: ContainersUndo) -> None:
        found = await containers.targets(stack, undo)
        await together(*(stack.containers.pause(container.id) for container in found))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ContainersUndo) -> Receipt:
        return await containers.all_in(stack, undo, "paused")
