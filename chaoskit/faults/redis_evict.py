"""`redis_evict`: a Redis that is full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from chaoskit.faults.contract import Forecast, Receipt, Undo, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.stores import StoreFault, places_of
from chaoskit.fields import Size

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json
    from chaoskit.stack.stack import Stack

Policy = Literal[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]


@fault("redis_evict")
class RedisEvict(StoreFault):
    """Give a Redis less memory than it needs: it evicts keys, or refuses writes with OOM.

    `policy` says which keys go; by default the one that is set. With `noeviction`, or when nothing
    can go, writes are refused. An empty Redis needs 1 to 2 MiB. What is evicted is lost.
    """

    example = "{ at: 2s, for: 5s, fault: redis_evict, service: redis, maxmemory: 2MiB }"
    alone: ClassVar[bool] = True

    maxmemory: Annotated[Size, Field(ge=1)]
    policy: Policy | None = None

    def forecast(self) -> Forecast:
        how = "the policy that is set" if self.policy is None else self.policy
        return Forecast(
            f"{self.target} limited to {self.maxmemory.__str__()} with {how}",
            "set the previous maxmemory and policy again; evicted keys stay lost",
            "a machine without memory: Redis itself is not slowed down or killed",
        )

    def told(self) -> Mapping[str, Json]:
        return {"wanted": {"maxmemory": str(int(self.maxmemory)), "policy": self.policy}}

    async def read(self, place: Place) -> Mapping[str, Json]:
        return {**await _settings(place), **await _losses(place)}

    async def act(self, place: Place) -> None:
        if self.policy is not None:
            await redis.ask(place, "CONFIG", "SET", "maxmemory-policy", self.policy)
        await redis.ask(place, "CONFIG", "SET", "maxmemory", str(int(self.maxmemory)))

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        now, wanted = await _settings(place), place.undo["wanted"]
        holds = now["maxmemory"] == wanted["maxmemory"]
        holds = holds and wanted["policy"] in (None, now["policy"])
        return Receipt(holds, _said(now))

    @classmethod
    async def lift(cls, place: Place) -> None:
        await redis.ask(place, "CONFIG", "SET", "maxmemory", place.row["maxmemory"])
        await redis.ask(place, "CONFIG", "SET", "maxmemory-policy", place.row["policy"])

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        now = await _settings(place)
        return Receipt(all(now[name] == place.row[name] for name in now), _said(now))

    async def effect(self, stack: Stack, undo: Undo) -> Receipt:
        evicted = refused = 0
        for place in await places_of(stack, undo):
            now = await _losses(place)
            evicted += now["evicted"] - place.row["evicted"]
            refused += now["refused"] - place.row["refused"]
        detail = f"{evicted} keys evicted, {refused} writes refused for lack of memory"
        return Receipt(evicted > 0 or refused > 0, detail)


async def _settings(place: Place) -> dict[str, str]:
    found = await redis.settings(place, "maxmemory*")
    return {"maxmemory": found["maxmemory"], "policy": found["maxmemory-policy"]}


async def _losses(place: Place) -> dict[str, int]:
    """Count the keys evicted and the writes refused since the server started."""
    rows = await redis.statistics(place, "all")
    return {
        "evicted": redis.counted(rows, "evicted_keys"),
        "refused": redis.counted(rows, "errorstat_OOM"),
    }


def _said(settings: Mapping[str, str]) -> str:
    limit = settings["maxmemory"]
    return f"maxmemory {'none' if limit == '0' else limit}, {settings['policy']}"
