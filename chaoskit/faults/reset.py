"""`reset`: connections of one edge torn down by the other side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from chaoskit.exchange import Canary, Exchange, Traffic
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import EdgeFault, Milliseconds
from chaoskit.fields import Duration
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_LONGEST = 1.0  # the heal has to wait as long for Toxiproxy, and so has every fault beside it


def _short(value: Duration) -> Duration:
    if value > _LONGEST:
        raise ValueError(
            "`wait` must be at most 1s: until the reset, Toxiproxy delays every other change of"
            " this edge"
        )
    return value


@fault("reset")
class Reset(EdgeFault):
    """Reset connections of one edge as soon as anything is said on them.

    The first bytes, of either side, are swallowed; after `wait` the connection is torn down.
    Connections that are opened under the fault end with a RST. Those that were open before it end
    with an orderly close, and stay open while nobody says anything. Nothing that is asked is done.
    """

    example = "{ at: 2s, for: 3s, fault: reset, edge: chat -> redis, wait: 100ms }"

    wait: Annotated[Milliseconds, AfterValidator(_short)] = Duration.zero()

    def forecast(self) -> Forecast:
        when = f" {seconds_text(self.wait)} later" if self.wait else ""
        return Forecast(
            f"connections of {self.target} reset{when} when anything is said on them",
            "remove the toxics; connections work again from then on",
            "idle connections, which survive; a RST on connections that were open before",
        )

    def toxics(self) -> Sequence[Toxic]:
        return toxics.toxics_for(
            self.name, "reset_peer", "both", {"timeout": round(self.wait * 1000)}
        )

    def canary(self) -> Canary:
        return Canary(
            deadline=1.0 + self.wait, felt=self._felt, blind=self.speechless, spared=_nothing_said
        )

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        # A canary may come through the engine's own port forwarding, which turns a RST into an end.
        ended = during.outcome in {"reset", "closed"} and not during.received
        return ended and during.seconds >= self.wait / 2


def _nothing_said(traffic: Traffic) -> str | None:
    said = traffic.requested or traffic.replied or traffic.pushed
    return None if said else "nothing was said on any connection of the client"
