"""`drop_requests`: what a client asks never arrives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from chaoskit.exchange import Canary, Exchange
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import EdgeFault, Fraction
from chaoskit.fields import Percentage

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic


@fault("drop_requests")
class DropRequests(EdgeFault):
    """Swallow the requests on one edge; what the server says by itself still arrives.

    To the client this looks like lost answers, but nothing was done. `fraction` is tossed once for
    each connection, and again when another fault starts or ends beside it; never for each request.
    Healing closes every connection of the edge, also those that were spared.
    """

    example = "{ at: 2s, for: 4s, fault: drop_requests, edge: chat -> redis }"

    fraction: Fraction = Percentage(1)

    def forecast(self) -> Forecast:
        return Forecast(
            f"every request on {self.target} lost{toxics.fraction_text(self.fraction)}",
            "remove the toxic, which closes the connections of this edge",
            "lost answers: nothing that was asked is done",
        )

    def toxics(self) -> Sequence[Toxic]:
        return toxics.toxics_for(self.name, "timeout", "request", {"timeout": 0}, self.fraction)

    def canary(self) -> Canary:
        tries = toxics.canaries_needed(self.fraction)
        return Canary(
            tries=tries,
            felt=toxics.no_word,
            blind=_blind,
            spared=partial(toxics.spared_by, self.fraction, "request"),
        )


def _blind(before: Exchange) -> str | None:
    if before.sent:
        return None
    return (
        "no canary asks anything on a plain TCP port, so none can miss an answer; a probe "
        "with a redis://, postgres:// or http:// URL of that port says how to talk to it"
    )
