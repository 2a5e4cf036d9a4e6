"""`truncate`: connections of one edge cut after a number of bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.exchange import LARGEST_PAYLOAD, Ask, Canary, Exchange, Traffic
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import Direction, EdgeFault, Fraction
from chaoskit.fields import Percentage, Size

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_BEYOND = 200  # bytes that a canary moves more than what is let through


@fault("truncate")
class Truncate(EdgeFault):
    """Close each connection of one edge once so many bytes have passed: half an answer.

    Bytes are counted for each connection and direction; on connections that are open already,
    from the start of the fault. After `bytes` of them the connection is closed, both ways.
    `fraction` is tossed once for each connection and direction, and again when another fault
    starts or ends beside it; never for each request.
    """

    example = "{ at: 2s, for: 5s, fault: truncate, edge: chat -> redis, bytes: 512B }"

    bytes: Annotated[Size, Field(ge=1)]
    direction: Direction = "reply"
    fraction: Fraction = Percentage(1)

    def forecast(self) -> Forecast:
        return Forecast(
            f"connections of {self.target} closed after {self.bytes}"
            f" {toxics.WAYS[self.direction]}{toxics.fraction_text(self.fraction)}",
            "remove the toxics; connections that are open go on",
            "corrupted data: what arrives is right, there is only too little of it",
        )

    def toxics(self) -> Sequence[Toxic]:
        attributes = {"bytes": int(self.bytes)}
        return toxics.toxics_for(self.name, "limit_data", self.direction, attributes, self.fraction)

    def canary(self) -> Canary:
        return Canary(
            ask=Ask(payload=min(self.bytes + _BEYOND, LARGEST_PAYLOAD)),
            tries=toxics.canaries_needed(self.fraction),
            felt=self._felt,
            blind=self._blind,
            spared=self._spared,
        )

    def _spared(self, traffic: Traffic) -> str | None:
        moved = traffic.largest(self.direction)
        if moved < self.bytes:
            return (
                f"no connection of the client moved more than {Size(moved)}"
                f" {toxics.WAYS[self.direction]}, and {self.bytes} are let through"
            )
        return toxics.spared_by(self.fraction, self.direction, traffic)

    def _moved(self, seen: Exchange) -> int:
        moved = {"request": seen.sent, "reply": seen.received}
        return moved.get(self.direction, max(seen.sent, seen.received))

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        cut = during.outcome in {"closed", "reset"}
        # A server that closes after its answer ends like one that was cut: the bytes tell.
        fewer = during.answered and during.received <= self.bytes
        return (cut or fewer) and during.received < before.received

    def _blind(self, before: Exchange) -> str | None:
        if before.speechless or self._moved(before) > self.bytes:
            return self.speechless(before)
        return toxics.not_enough_bytes(
            self.kind, self._moved(before), f"and {self.bytes} are let through"
        )
