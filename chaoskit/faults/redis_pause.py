"""`redis_pause`: a Redis that keeps its connections and does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, ClassVar, Literal

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.stores import StoreFault

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json

_LONGEST = 3600  # seconds a pause lasts when no lease bounds it
_MARGIN = 30  # seconds a pause outlasts its lease: the heal ends it, however busy we are
_PATIENCE = 10.0
_POLL = 0.05
# PUBLISH is held back by both modes and changes nothing; PING only by `all`.
_CANARY = {"all": ("PING",), "write": ("PUBLISH", f"{redis.OURS}canary", "")}


@fault("redis_pause")
class RedisPause(StoreFault):
    """Stop a Redis from answering (CLIENT PAUSE): commands wait until it is healed.

    `mode: write` holds back only what writes or publishes. Connections are accepted and stay open,
    nothing is lost: what waited is executed at the heal, in order, unless its client has gone.
    Needs Redis 6.2.
    """

    example = "{ at: 2s, for: 3s, fault: redis_pause, service: redis, mode: all }"
    alone: ClassVar[bool] = True

    mode: Literal["all", "write"] = "all"

    def restarts_services(self) -> list[str]:
        return [self.service] if self.mode == "all" else []  # its health check waits too

    def forecast(self) -> Forecast:
        what = "every command" if self.mode == "all" else "every write"
        return Forecast(
            f"{what} to {self.target} waits",
            "CLIENT UNPAUSE; what waited is executed",
            "a frozen process: timeouts and replication go on inside the server",
        )

    def told(self) -> Mapping[str, Json]:
        seconds = _LONGEST if self.for_ is None else ceil(self.for_) + _MARGIN
        return {"mode": self.mode, "seconds": seconds}

    async def read(self, place: Place) -> Mapping[str, Json]:
        if await redis.silent(place, *_CANARY[self.mode]):
            raise FaultFailed(f"`{place.container.name}` does not answer already")
        return {}

    async def act(self, place: Place) -> None:
        await redis.hold_pause(place, self.mode, place.undo["seconds"])
        receipt = await until(
            lambda: self.shown(place), met=lambda shown: shown.holds, within=_PATIENCE, every=_POLL
        )
        if not receipt.holds:
            raise FaultFailed(f"`{place.container.name}` cannot be paused: {receipt.detail}")

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        what = _CANARY[place.undo["mode"]]
        if await redis.silent(place, *what):
            return Receipt(True, f"{what[0]} inside the container: no answer in 1s")
        return Receipt(False, f"{what[0]} inside the container is answered")

    @classmethod
    async def lift(cls, place: Place) -> None:
        await place.release("USR1")
        what = _CANARY[place.undo["mode"]]
        if await redis.silent(place, *what) and await redis.silent(place, "CLIENT", "UNPAUSE"):
            raise FaultFailed(
                f"`{place.container.name}` is still paused; that ends by itself within"
                f" {place.undo['seconds']} s of its start"
            )

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        shown = await cls.shown(place)
        return Receipt(not shown.holds, shown.detail)
