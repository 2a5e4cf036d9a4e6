"""`fragment`: data of one edge cut into small pieces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator, model_validator

from chaoskit.exchange import Ask, Canary, Exchange, Traffic
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import Direction, EdgeFault, Fraction
from chaoskit.fields import Duration, Percentage, Size
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_BLOCK = 32 * 1024  # Toxiproxy reads this much at once, and cuts only what it has read
_LARGEST_PAYLOAD = 500_000
_SPAN = 0.1  # seconds that the pauses of a canary should add up to
_LEAST = 0.006  # seconds of pauses that show; shorter ones show only in the number of reads


@fault("fragment")
class Fragment(EdgeFault):
    """Cut the data of one edge into small pieces with a pause after each.

    Pieces are `size` bytes on average, give or take `variation`. Clients that take one read for
    one message break. `fraction` is tossed once for each connection and direction, and again when
    another fault starts or ends beside it; never for each request.
    """

    example = (
        "{ at: 2s, for: 5s, fault: fragment, edge: chat -> redis, size: 8B, variation: 4B,"
        " delay: 2ms }"
    )

    size: Annotated[Size, Field(ge=1, lt=_BLOCK)]
    variation: Annotated[Size, Field(ge=0)] = Size(0)
    delay: Annotated[Duration, Field(le=Duration(10))] = Duration(0.001)
    direction: Direction = "both"
    fraction: Fraction = Percentage(1)

    @field_validator("delay")
    @classmethod
    def _pause(cls, delay: Duration) -> Duration:
        if delay <= 0:
            raise ValueError("`delay` must be at least 1us: without it the pieces join again")
        return delay

    @model_validator(mode="after")
    def _bounds(self) -> Fragment:
        if self.variation >= self.size:
            raise ValueError("`variation` must be smaller than `size`")
        if self.size + self.variation >= _BLOCK:
            raise ValueError("`size` and `variation` together must be below 32KiB")
        return self

    def forecast(self) -> Forecast:
        spread = f" +- {self.variation}" if self.variation else ""
        return Forecast(
            f"data of {self.target} in pieces of {self.size}{spread}, {seconds_text(self.delay)}"
            f" apart{toxics.fraction_text(self.fraction)}",
            "remove the toxics; what is left comes in one piece",
            "reordered or lost segments: every byte arrives, in order",
        )

    def toxics(self) -> Sequence[Toxic]:
        attributes = {
            "average_size": int(self.size),
            "size_variation": int(self.variation),
            "delay": round(self.delay * 1e6),
        }
        return toxics.toxics_for(self.name, "slicer", self.direction, attributes, self.fraction)

    def _aim(self) -> int:
        """Return how many pieces a canary's payload should come in."""
        return min(max(3, math.ceil(_SPAN / self.delay)), 200)

    def canary(self) -> Canary:
        return Canary(
            ask=Ask(payload=min(self._aim() * (self.size + self.variation), _LARGEST_PAYLOAD)),
            # Pieces may be half as large as asked, and a protocol sends some bytes at the least.
            deadline=2.0 + 4 * (self._aim() + 300 / self.size) * (self.delay + 0.001),
            tries=toxics.canaries_needed(self.fraction),
            felt=self._felt,
            doubtful=partial(toxics.could_be_noise, self.fraction),
            blind=self._blind,
            spared=self._spared,
        )

    def _spared(self, traffic: Traffic) -> str | None:
        moved = traffic.largest(self.direction)
        if moved <= self.size - self.variation:
            return (
                f"no connection of the client moved more than {Size(moved)}"
                f" {toxics.WAYS[self.direction]}, and pieces are of {self.size}"
            )
        return toxics.spared_by(self.fraction, self.direction, traffic)

    def _pieces(self, seen: Exchange) -> int:
        """Return in how many pieces the bytes of an exchange must come, at the least."""
        moved = seen.sent if self.direction == "request" else seen.received
        return moved // (self.size + self.variation)

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        if self._pieces(before) < 2 or not during.answered:
            return False
        slower = during.seconds - before.seconds
        pauses = (self._pieces(before) - 1) * self.delay
        if slower >= pauses / 2 and pauses >= _LEAST:
            return True
        more = during.pieces - before.pieces
        return self.direction != "request" and more >= max(2, self._pieces(before) // 2)

    def _blind(self, before: Exchange) -> str | None:
        if before.speechless or self._pieces(before) >= 2:
            return self.speechless(before)
        moved = before.sent if self.direction == "request" else before.received
        return toxics.not_enough_bytes(self.kind, moved, f"less than two pieces of {self.size}")
