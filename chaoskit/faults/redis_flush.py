"""`redis_flush`: the cache is empty from one moment to the next."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow

_COMMANDS = ("flushall", "unlink")


class FlushRow(StoreRow):
    """How many keys there were, and how often keys had been deleted."""

    before: int
    calls: int


class FlushUndo(RedisUndo[FlushRow]):
    """The keys to delete; None: all of every database."""

    keys: str | None


@fault("redis_flush")
class RedisFlush(StoreFault[FlushUndo]):
    """Empty a Redis at once, or delete the keys that match a pattern.

    Without `keys`, every database is emptied; with it (`session:*`), the matching keys of database
    `db`, which is 0 by default. Nothing brings them back: the loss is the fault.
    """

    undo_model = FlushUndo
    example = "{ at: 2s, fault: redis_flush, service: redis, keys: 'chat:*' }"
    instant = True

    keys: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    db: Annotated[int, Field(ge=0, le=9999)] = 0

    def forecast(self) -> Forecast:
        what = "every key" if self.keys is None else f"the keys `{self.keys}`"
        return Forecast(
            f"{what} of {self.target} deleted",
            "nothing: what is deleted stays deleted",
            "a Redis that is gone: it goes on answering",
        )

    async def read_one(self, store: Store[FlushUndo]) -> FlushRow:
        before = await _left(store)
        if before == 0:
            what = "holds no key" if self.keys is None else f"holds no key `{self.keys}`"
            raise FaultFailed(f"`{store.container.name}` {what}: there is nothing to lose")
        return FlushRow(replica=store.replica, before=before, calls=await _calls(store))

    async def inject_one(self, store: Store[FlushUndo]) -> None:
        if self.keys is None:
            await redis.ask(store, "FLUSHALL")
        else:
            await redis.pages(store, "delete", self.keys)

    @classmethod
    async def verify_one(cls, store: Store[FlushUndo]) -> Receipt:
        was, left = store.undo.of(store), await _left(store)
        flushed = await _calls(store) > was.calls
        since = ", written since" if flushed and left else ""
        return Receipt(flushed, f"{was.before} keys before, {left} after{since}")

    @classmethod
    async def heal_one(cls, store: Store[FlushUndo]) -> None:
        """Nothing brings them back."""

    @classmethod
    async def verify_healed_one(cls, store: Store[FlushUndo]) -> Receipt:
        return Receipt(True, f"it holds {await _left(store)} such keys now")


async def _left(store: Store[FlushUndo]) -> int:
    if store.undo.keys is None:
        return await redis.key_count(store)
    return await redis.pages(store, "count", store.undo.keys)


async def _calls(store: Store[FlushUndo]) -> int:
    """Count the deleting commands so far: a cache that refills at once must not hide a flush."""
    rows = await redis.statistics(store, "commandstats")
    return sum(redis.counted(rows, f"cmdstat_{command}") for command in _COMMANDS)
