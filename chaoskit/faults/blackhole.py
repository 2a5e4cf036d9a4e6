"""`blackhole`: silence on one edge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaoskit.exchange import Canary
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import EdgeFault

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic


@fault("blackhole")
class Blackhole(EdgeFault):
    """Swallow everything on one edge, both ways: connections open and stay silent.

    Healing closes the connections that were open; what was swallowed is lost.
    """

    example = "{ at: 2s, for: 4s, fault: blackhole, edge: chat -> redis }"

    def forecast(self) -> Forecast:
        return Forecast(
            f"silence on {self.target}, new and live connections",
            "remove the toxics, which closes the connections of this edge",
            "slow connecting: the TCP handshake with the proxy still succeeds",
        )

    def toxics(self) -> Sequence[Toxic]:
        return toxics.blackhole(self.name, "upstream", "downstream")

    def canary(self) -> Canary:
        return Canary(felt=toxics.went_silent, blind=self.speechless)
