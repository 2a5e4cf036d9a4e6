"""`slow_close`: connections of one edge that end late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.exchange import Ask, Canary, Exchange, Traffic
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import Direction, EdgeFault, Fraction, Milliseconds
from chaoskit.fields import Percentage
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_PLAIN = 0.5  # seconds more to end than before: no doubt about it, however long `delay` is


@fault("slow_close")
class SlowClose(EdgeFault):
    """Hold back the end of each connection of one edge: closed here, still open over there.

    When one side closes, the other side learns it `delay` later, and pools, ports and sessions
    stay taken meanwhile. Healing ends what is held back. `direction: request` holds back what the
    client closes, `reply` what the server closes. `fraction` is tossed once for each connection
    and direction, and again when another fault starts or ends beside it.
    """

    example = "{ at: 2s, for: 6s, fault: slow_close, edge: chat -> redis, delay: 1s }"

    delay: Annotated[Milliseconds, Field(gt=0)]
    direction: Direction = "both"
    fraction: Fraction = Percentage(1)

    def forecast(self) -> Forecast:
        way = {"both": "either side", "request": "the client", "reply": "the server"}
        return Forecast(
            f"connections of {self.target} that {way[self.direction]} closes end"
            f" {seconds_text(self.delay)} late{toxics.fraction_text(self.fraction)}",
            "remove the toxics, which ends what is held back",
            "slow answers: data passes at full speed",
        )

    def toxics(self) -> Sequence[Toxic]:
        attributes = {"delay": round(self.delay * 1000)}
        return toxics.toxics_for(self.name, "slow_close", self.direction, attributes, self.fraction)

    def canary(self) -> Canary:
        return Canary(
            ask=Ask(close=True),
            deadline=1.0 + 2 * self.delay,
            tries=toxics.canaries_needed(self.fraction),
            felt=self._felt,
            spared=self._spared,
        )

    def _spared(self, traffic: Traffic) -> str | None:
        if not traffic.opened:
            return (
                "the client opened no connection meanwhile, so it is not known that it closed one"
            )
        return toxics.spared_by(self.fraction, self.direction, traffic)

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        if before.closing is None or during.closing is None:
            return False
        return during.closing - before.closing >= max(
            toxics.told_apart(before), min(self.delay / 2, _PLAIN)
        )
