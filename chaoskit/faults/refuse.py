"""`refuse`: nobody listens at the other end of one edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.exchange import Canary
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import listeners
from chaoskit.faults.engines.toxics import EdgeFault, EdgeUndo, rows_of

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack


@fault("refuse")
class Refuse(EdgeFault):
    """Refuse new connections on one edge and close the live ones."""

    example = "{ at: 2s, for: 3s, fault: refuse, edge: chat -> redis }"

    def forecast(self) -> Forecast:
        return Forecast(
            f"connections of {self.target} refused, live ones closed",
            "open the proxy's listener again",
            "silence: the client learns at once that nothing listens",
        )

    def canary(self) -> Canary:
        return Canary(traceless=True)

    async def prepare(self, stack: Stack) -> EdgeUndo:
        return EdgeUndo(holder=self.name, rows=rows_of(stack.proxies_of(self.edge)))

    async def inject(self, stack: Stack, undo: EdgeUndo) -> None:
        await listeners.close(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: EdgeUndo) -> None:
        await listeners.give_up(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        return await listeners.shut(stack, undo)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        return await listeners.open_again(stack, undo)
