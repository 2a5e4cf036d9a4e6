"""`stop`: SIGTERM, and down until healed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ServiceFault
from chaoskit.fields import Duration
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack


@fault("stop")
class Stop(ServiceFault):
    """Stop a service politely with SIGTERM; it stays down until healed.

    `grace` is the time until SIGKILL; by default the service's own stop_grace_period.
    """

    ends_processes = True
    stops = True
    example = "{ at: 2s, for: 5s, fault: stop, service: redis, grace: 5s }"

    grace: Duration | None = None

    def forecast(self) -> Forecast:
        grace = "its own grace period" if self.grace is None else seconds_text(self.grace)
        return Forecast(
            f"SIGTERM to {self.target}, SIGKILL after {grace}; its proxies refuse meanwhile",
            "start the same containers again",
            "a crash: the service may tidy up and save before it stops",
        )

    async def inject(self, stack: Stack, undo: ContainersUndo) -> None:
        await containers.stop(stack, undo, self.grace)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ContainersUndo) -> Receipt:
        return await containers.all_in(stack, undo, "exited", "dead")
