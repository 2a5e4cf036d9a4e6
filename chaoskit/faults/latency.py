"""`latency`: every byte of one edge delayed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from chaoskit.exchange import Canary, Exchange
from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import Direction, EdgeFault, Fraction
from chaoskit.fields import Duration, Percentage
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.toxiproxy import Toxic

_LONGEST = Duration(600)


@fault("latency")
class Latency(EdgeFault):
    """Delay every byte on one edge, in order.

    `direction: reply` (the default) adds the delay once per exchange, `both` adds it each way.
    `jitter` moves each delay by up to this much either way. Connecting itself is not delayed.
    `fraction` is tossed once for each connection and direction, and again when another fault
    starts or ends beside it; never for each request.
    """

    example = "{ at: 5s, for: 4s, fault: latency, edge: chat -> redis, delay: 300ms, jitter: 50ms }"

    delay: Annotated[Duration, Field(gt=0, le=_LONGEST)]
    jitter: Annotated[Duration, Field(ge=0, le=_LONGEST)] = Duration.zero()
    direction: Direction = "reply"
    fraction: Fraction = Percentage(1)

    @model_validator(mode="after")
    def _bounds(self) -> Latency:
        if self.delay < 0.001:
            raise ValueError("`delay` must be at least 1ms")
        if self.jitter > self.delay:
            raise ValueError("`jitter` must not be larger than `delay`")
        for name, value in (("delay", self.delay), ("jitter", self.jitter)):
            if abs(value * 1000 - round(value * 1000)) > 1e-6:
                raise ValueError(f"`{name}` must be whole milliseconds: `{value}` is not")
        return self

    def forecast(self) -> Forecast:
        spread = f" +- {seconds_text(self.jitter)}" if self.jitter else ""
        way = {"both": "each way", "request": "on requests", "reply": "on replies"}
        return Forecast(
            f"{seconds_text(self.delay)}{spread} {way[self.direction]} of {self.target}"
            f"{toxics.fraction_text(self.fraction)}",
            "remove the toxic; what is held back is delivered at once",
            "slow connecting: the TCP handshake is not delayed",
        )

    def toxics(self) -> Sequence[Toxic]:
        attributes = {"latency": round(self.delay * 1000), "jitter": round(self.jitter * 1000)}
        return toxics.toxics_for(self.name, "latency", self.direction, attributes, self.fraction)

    def canary(self) -> Canary:
        return Canary(
            deadline=1.0 + 2 * (self.delay + self.jitter),
            tries=toxics.canaries_needed(self.fraction),
            felt=self._felt,
            doubtful=partial(toxics.could_be_noise, self.fraction),
            blind=self._blind,
            spared=partial(toxics.spared_by, self.fraction, self.direction),
        )

    def _felt(self, before: Exchange, during: Exchange) -> bool:
        if during.speechless and not before.speechless:
            return True  # the greeting of a server that speaks first is late
        least = toxics.told_apart(before)
        if self.delay < least:
            return False
        # Half of the smallest possible delay: far above the noise, below every real delay.
        return during.seconds - before.seconds >= max(least, (self.delay - self.jitter) / 2)

    def _blind(self, before: Exchange) -> str | None:
        least = toxics.told_apart(before)
        if before.speechless or self.delay >= least:
            return self.speechless(before)
        return (
            f"a delay of {seconds_text(self.delay)} is below what can be told apart here"
            f" ({seconds_text(least)})"
        )
