"""`drop_replies`: requests arrive, their answers do not."""

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


@fault("drop_replies")
class DropReplies(EdgeFault):
    """Let requests through on one edge and swallow the answers: done, but nobody is told.

    This is what makes clients retry what was done already. A server that closes its connection is
    still seen to close it. `fraction` is tossed once for each
    connection, and again when another fault starts or ends beside it; never for each request.
    Healing closes every connection of the edge, also those that were spared.
    """

    example = "{ at: 2s, for: 4s, fault: drop_replies, edge: chat -> redis }"

    fraction: Fraction = Percentage(1)

    def forecast(self) -> Forecast:
        return Forecast(
            f"every answer on {self.target} lost, every request applied"
            f"{toxics.fraction_text(self.fraction)}",
            "remove the toxic, which closes the connections of this edge",
            "lost requests: what was asked is done",
        )

    def toxics(self) -> Sequence[Toxic]:
        return toxics.toxics_for(self.name, "timeout", "reply", {"timeout": 0}, self.fraction)

    def canary(self) -> Canary:
        tries = toxics.canaries_needed(self.fraction)
        return Canary(
            tries=tries,
            felt=_felt,
            blind=self.speechless,
            spared=partial(toxics.spared_by, self.fraction, "reply"),
        )


def _felt(before: Exchange, during: Exchange) -> bool:
    # A server that closes after its answer: the answer is swallowed, its end is not.
    ended = during.outcome == "closed" and not during.received and bool(before.received)
    return ended or toxics.went_silent(before, during)
