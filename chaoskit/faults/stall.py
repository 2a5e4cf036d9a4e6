"""`stall`: one edge held still, and then let go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from chaoskit.exchange import Canary
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import EdgeFault, Fraction
from chaoskit.fields import Percentage

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic


@fault("stall")
class Stall(EdgeFault):
    """Hold back everything on one edge, both ways; healing delivers all of it.

    Connections open, stay silent and survive: a frozen network, not a lossy one. `fraction` is
    tossed once for each connection and direction, and again when another fault starts or ends
    beside it; never for each request. When that happens, up to 32 KiB of what is held back in each
    direction of a connection is let through.
    """

    example = "{ at: 2s, for: 4s, fault: stall, edge: chat -> redis }"

    fraction: Fraction = Percentage(1)

    def forecast(self) -> Forecast:
        return Forecast(
            f"everything on {self.target} held back, new and live connections"
            f"{toxics.fraction_text(self.fraction)}",
            "remove the toxics; what was held back is delivered",
            "lost data and closed connections: nothing is lost and nothing is closed",
        )

    def toxics(self) -> Sequence[Toxic]:
        # To Toxiproxy 2.12 a rate of zero is no limit to data, it is no data: none gets lost.
        return toxics.toxics_for(self.name, "bandwidth", "both", {"rate": 0}, self.fraction)

    def canary(self) -> Canary:
        tries = toxics.canaries_needed(self.fraction)
        return Canary(
            tries=tries,
            felt=toxics.went_silent,
            blind=self.speechless,
            spared=partial(toxics.spared_by, self.fraction, "both"),
        )
