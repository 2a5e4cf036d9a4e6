"""`bandwidth`: a slow line on one edge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from pydantic import field_validator

from chaoskit.exchange import LARGEST_PAYLOAD, Ask, Canary, Exchange, Traffic
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import Direction, EdgeFault, Fraction
from chaoskit.fields import ByteRate, Percentage, Size
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_UNIT = 1000  # Toxiproxy's KB/s
_FASTEST = 100_000_000
_SPAN = 0.2  # seconds that a canary's payload should take in each direction
_LEAST = 0.006  # seconds that a payload must take to show
_NOTICED = 0.01  # share of the time that the client's busiest connection must be held up


@fault("bandwidth")
class Bandwidth(EdgeFault):
    """Limit how many bytes per second each connection of one edge carries.

    The rate is for one connection and one direction: ten connections carry ten times as much.
    `fraction` is tossed once for each connection and direction, and again when another fault
    starts or ends beside it; never for each request.
    """

    example = "{ at: 2s, for: 5s, fault: bandwidth, edge: chat -> redis, rate: 64KB/s }"

    rate: ByteRate
    direction: Direction = "both"
    fraction: Fraction = Percentage(1)

    @field_validator("rate")
    @classmethod
    def _bounds(cls, rate: ByteRate) -> ByteRate:
        if rate < _UNIT:
            raise ValueError("`rate` must be at least 1KB/s; for no data at all there is `stall`")
        if rate > _FASTEST:
            raise ValueError(
                "`rate` must be at most 100MB/s: a proxy carries little more by itself"
            )
        if rate % _UNIT:
            raise ValueError(f"Toxiproxy counts whole KB/s of 1000 bytes: `{int(rate)}B/s` is not")
        return rate

    def forecast(self) -> Forecast:
        return Forecast(
            f"at most {self.rate} {toxics.WAYS[self.direction]} on each connection of"
            f" {self.target}{toxics.fraction_text(self.fraction)}",
            "remove the toxics; what is on its way is delivered at once",
            "a limit that connections share: each has its own",
        )

    def toxics(self) -> Sequence[Toxic]:
        attributes = {"rate": self.rate // _UNIT}
        return toxics.toxics_for(self.name, "bandwidth", self.direction, attributes, self.fraction)

    def canary(self) -> Canary:
        return Canary(
            ask=Ask(payload=min(round(self.rate * _SPAN), LARGEST_PAYLOAD)),
            deadline=1.0 + 4 * _SPAN + 2 * 32_000 / self.rate,  # what a protocol sends at the least
            tries=toxics.canaries_needed(self.fraction),
            felt=self._felt,
            doubtful=partial(toxics.could_be_noise, self.fraction),
            blind=self._blind,
            spared=self._spared,
        )

    def _takes(self, seen: Exchange) -> float:
        """Return the seconds that the bytes of an exchange take at this rate, at the least."""
        return (seen.sent if self.direction == "request" else seen.received) / self.rate

    def _spared(self, traffic: Traffic) -> str | None:
        moved = traffic.largest(self.direction)
        if moved / self.rate < max(_LEAST, _NOTICED * traffic.seconds):
            return (
                f"no connection of the client moved more than {Size(moved)}"
                f" {toxics.WAYS[self.direction]} in {seconds_text(traffic.seconds)}, which take"
                f" {seconds_text(moved / self.rate)} at {self.rate}"
            )
        return toxics.spared_by(self.fraction, self.direction, traffic)

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        slower = during.seconds - before.seconds
        if self._takes(before) < _LEAST:
            return False
        if not during.answered:  # it was still waiting: that counts once it should be there
            return during.outcome == "silent" and slower >= self._takes(before)
        return slower >= self._takes(before) / 2

    def _blind(self, before: Exchange) -> str | None:
        takes = self._takes(before)
        if before.speechless or takes >= _LEAST:
            return self.speechless(before)
        moved = before.sent if self.direction == "request" else before.received
        needed = f"which take {seconds_text(takes)} at {self.rate}"
        return toxics.not_enough_bytes(self.kind, moved, needed)
