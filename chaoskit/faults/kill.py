"""`kill`: SIGKILL, and down until healed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ServiceFault
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack


@fault("kill")
class Kill(ServiceFault):
    """Kill a service with SIGKILL; it stays down until healed.

    A restart policy does not act on it. SIGKILL loses what a process had only in memory; it says
    nothing about fsync, because the operating system keeps every page the process wrote.
    """

    ends_processes = True
    stops = True
    example = "{ at: 2s, for: 3s, fault: kill, service: redis }"

    def forecast(self) -> Forecast:
        return Forecast(
            f"SIGKILL to {self.target}; its proxies refuse connections while it is down",
            "start the same containers again",
            "power loss: the kernel keeps every written page, so fsync is not tested",
        )

    async def inject(self, stack: Stack, undo: ContainersUndo) -> None:
        found = await containers.targets(stack, undo)
        # The paths first: Toxiproxy would dial an address that is gone, for seconds, and block.
        await containers.close_paths(stack, undo)
        await together(*(stack.containers.kill(container.id) for container in found))
        await containers.wait_down(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ContainersUndo) -> Receipt:
        return await containers.all_in(stack, undo, "exited", "dead")
