"""`restart`: SIGTERM, then up again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ServiceFault
from chaoskit.fields import Duration
from chaoskit.tasks import together
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack


@fault("restart")
class Restart(ServiceFault):
    """Restart a service politely: SIGTERM, then up again at once.

    `grace` is the time until SIGKILL; by default the service's own stop_grace_period.
    """

    ends_processes = True
    example = "{ at: 0s, fault: restart, service: redis }"
    instant = True

    grace: Duration | None = None

    def forecast(self) -> Forecast:
        grace = "its own grace period" if self.grace is None else seconds_text(self.grace)
        return Forecast(
            f"SIGTERM to {self.target} (SIGKILL after {grace}), then started again",
            "make sure that the same containers run",
            "a crash: the service may tidy up and save before it stops",
        )

    async def inject(self, stack: Stack, undo: ContainersUndo) -> None:
        found = await containers.targets(stack, undo)
        await containers.stop(stack, undo, self.grace)
        await together(*(stack.containers.start(c.id) for c in found))
        await containers.open_paths(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ContainersUndo) -> Receipt:
        return await containers.restarted(stack, undo)
