"""`redis_kill_clients`: the server closes every client's connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.stores import StoreFault

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json


@fault("redis_kill_clients")
class RedisKillClients(StoreFault):
    """Close the connections of all ordinary clients of a Redis; they may connect again at once.

    Subscribers and replicas keep theirs.
    """

    example = "{ at: 2s, fault: redis_kill_clients, service: redis }"
    instant: ClassVar[bool] = True

    def forecast(self) -> Forecast:
        return Forecast(
            f"the connections of all ordinary clients of {self.target} closed by the server",
            "nothing: clients connect again by themselves",
            "a Redis that is gone: it accepts new connections all the time",
        )

    async def read(self, place: Place) -> Mapping[str, Json]:
        found = await redis.connections(place)
        if not found:
            raise FaultFailed(f"no client is connected to `{place.container.name}`")
        return {"clients": sorted(found)}

    async def act(self, place: Place) -> None:
        await redis.ask(place, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        before = set(place.row["clients"])
        left = before & await redis.connections(place)
        return Receipt(not left, f"{len(before) - len(left)} of {len(before)} connections closed")

    @classmethod
    async def lift(cls, place: Place) -> None:
        """Clients connect again by themselves."""

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        return Receipt(True, f"{len(await redis.connections(place))} clients are connected")
