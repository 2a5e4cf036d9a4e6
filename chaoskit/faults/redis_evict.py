"""`redis_evict`: a Redis that is full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.limits import size_text
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow, stores_of
from chaoskit.fields import Model, Size

if TYPE_CHECKING:
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


class Settings(Model):
    """What bounds the memory of a Redis."""

    maxmemory: str
    policy: str | None


class EvictRow(StoreRow):
    """The settings before, and the keys evicted and writes refused until then."""

    maxmemory: str
    policy: str
    evicted: int
    refused: int


class EvictUndo(RedisUndo[EvictRow]):
    """The settings that are wanted; without a policy any is."""

    wanted: Settings


@fault("redis_evict")
class RedisEvict(StoreFault[EvictUndo]):
    """Give a Redis less memory than it needs: it evicts keys, or refuses writes with OOM.

    `policy` says which keys go; by default the one that is set. With `noeviction`, or when nothing
    can go, writes are refused. An empty Redis needs 1 to 2 MiB. What is evicted is lost.
    """

    undo_model = EvictUndo
    example = "{ at: 2s, for: 5s, fault: redis_evict, service: redis, maxmemory: 2MiB }"
    alone = True

    maxmemory: Annotated[Size, Field(ge=1)]
    policy: Policy | None = None

    def forecast(self) -> Forecast:
        how = "the policy that is set" if self.policy is None else self.policy
        return Forecast(
            f"{self.target} limited to {size_text(self.maxmemory)} with {how}",
            "set the previous maxmemory and policy again; evicted keys stay lost",
            "a machine without memory: Redis itself is not slowed down or killed",
        )

    def undo_fields(self) -> Mapping[str, Json]:
        wanted = {"maxmemory": str(int(self.maxmemory)), "policy": self.policy}
        return {**super().undo_fields(), "wanted": wanted}

    async def read_one(self, store: Store[EvictUndo]) -> EvictRow:
        now, (evicted, refused) = await _settings(store), await _losses(store)
        return EvictRow(
            replica=store.replica,
            maxmemory=now.maxmemory,
            policy=now.policy or "",
            evicted=evicted,
            refused=refused,
        )

    async def inject_one(self, store: Store[EvictUndo]) -> None:
        if self.policy is not None:
            await redis.ask(store, "CONFIG", "SET", "maxmemory-policy", self.policy)
        await redis.ask(store, "CONFIG", "SET", "maxmemory", str(int(self.maxmemory)))

    @classmethod
    async def verify_one(cls, store: Store[EvictUndo]) -> Receipt:
        now, wanted = await _settings(store), store.undo.wanted
        holds = now.maxmemory == wanted.maxmemory and wanted.policy in (None, now.policy)
        return Receipt(holds, _said(now))

    @classmethod
    async def heal_one(cls, store: Store[EvictUndo]) -> None:
        was = store.undo.of(store)
        await redis.ask(store, "CONFIG", "SET", "maxmemory", was.maxmemory)
        await redis.ask(store, "CONFIG", "SET", "maxmemory-policy", was.policy)

    @classmethod
    async def verify_healed_one(cls, store: Store[EvictUndo]) -> Receipt:
        now, was = await _settings(store), store.undo.of(store)
        same = (now.maxmemory, now.policy) == (was.maxmemory, was.policy)
        return Receipt(same, _said(now))

    async def effect(self, stack: Stack, undo: EvictUndo) -> Receipt:
        evicted = refused = 0
        for store in await stores_of(stack, undo):
            was, (lost, unwritten) = store.undo.of(store), await _losses(store)
            evicted += lost - was.evicted
            refused += unwritten - was.refused
        detail = f"{evicted} keys evicted, {refused} writes refused for lack of memory"
        return Receipt(evicted > 0 or refused > 0, detail)


async def _settings(store: Store[EvictUndo]) -> Settings:
    found = await redis.settings(store, "maxmemory*")
    return Settings(maxmemory=found["maxmemory"], policy=found["maxmemory-policy"])


async def _losses(store: Store[EvictUndo]) -> tuple[int, int]:
    """Count the keys evicted and the writes refused since the server started."""
    rows = await redis.statistics(store, "all")
    return redis.counted(rows, "evicted_keys"), redis.counted(rows, "errorstat_OOM")


def _said(settings: Settings) -> str:
    limit = settings.maxmemory
    return f"maxmemory {'none' if limit == '0' else limit}, {settings.policy}"
