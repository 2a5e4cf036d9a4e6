"""`flap`: one edge refused and back, again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.exchange import Canary
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import listeners
from chaoskit.faults.engines.toxics import EdgeFault, EdgeUndo, rows_of
from chaoskit.fields import Duration
from chaoskit.stack.ticker import Ticker, Turn
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack

_SHORTEST, _LONGEST = Duration(0.1), Duration(600)
_SWING = 0.5  # each time is drawn from this much below to this much above what was asked

Spell = Annotated[Duration, Field(ge=_SHORTEST, le=_LONGEST)]


@fault("flap")
class Flap(EdgeFault):
    """Refuse one edge and let it come back, again and again, at seeded times.

    It starts down: new connections are refused, live ones closed. Each time down and each time up
    lasts between half and one and a half times `down` and `up`; the run's seed decides, so the
    same seed gives the same times.
    """

    example = "{ at: 2s, for: 8s, fault: flap, edge: chat -> redis, up: 1s, down: 500ms }"

    up: Spell
    down: Spell

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.target} refused for about {seconds_text(self.down)},"
            f" back for about {seconds_text(self.up)}, and so on",
            "stop the switching and open the proxy's listener",
            "silence: while it is down the client learns at once that nothing listens",
        )

    def canary(self) -> Canary:
        return Canary(traceless=True)

    async def prepare(self, stack: Stack) -> EdgeUndo:
        return EdgeUndo(holder=self.name, rows=rows_of(stack.proxies_of(self.edge)))

    async def inject(self, stack: Stack, undo: EdgeUndo) -> None:
        await listeners.close(stack, undo)
        stack.tickers[self.name] = Ticker(self._turns(stack, undo))

    def _turns(self, stack: Stack, undo: EdgeUndo) -> Iterator[tuple[float, Turn]]:
        """Yield every time after the first, which is `down` and has begun."""
        chance = random.Random(f"{stack.seed} {self.name}")
        while True:
            for length, turn in ((self.down, listeners.give_up), (self.up, listeners.close)):
                yield length * chance.uniform(1 - _SWING, 1 + _SWING), partial(turn, stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: EdgeUndo) -> None:
        ticker = stack.tickers.get(undo.holder)
        if ticker is not None:
            await ticker.stop()
        await listeners.give_up(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        ticker = stack.tickers.get(undo.holder)
        if ticker is None or not ticker.alive:
            why = (
                "the process that did it is gone"
                if ticker is None or not ticker.problem
                else ticker.problem
            )
            return Receipt(False, f"it is not switched down and up any more: {why}")
        if not ticker.taken:
            return await listeners.shut(stack, undo)
        names = ", ".join(proxy.name for proxy in listeners.proxies_of(stack, undo))
        return Receipt(True, f"{names} went down or up {ticker.taken + 1} times so far")

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        ticker = stack.tickers.get(undo.holder)
        if ticker is not None and ticker.alive:
            return Receipt(False, "it is still switched down and up")
        return await listeners.open_again(stack, undo)
