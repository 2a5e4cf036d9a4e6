"""`redis_flush`: the cache is empty from one moment to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.stores import StoreFault

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json

DELETE = f"""
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', 1000)
local gone = 0
for _, key in ipairs(page[2]) do
  if string.sub(key, 1, {len(redis.OURS)}) ~= '{redis.OURS}' then
    gone = gone + redis.call('UNLINK', key)
  end
end
return page[1] .. ' ' .. gone
"""
_COMMANDS = ("flushall", "unlink")


@fault("redis_flush")
class RedisFlush(StoreFault):
    """Empty a Redis at once, or delete the keys that match a pattern.

    Without `keys`, every database is emptied; with it (`session:*`), the matching keys of database
    `db`, which is 0 by default. Nothing brings them back: the loss is the fault.
    """

    example = "{ at: 2s, fault: redis_flush, service: redis, keys: 'chat:*' }"
    instant: ClassVar[bool] = True

    keys: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    db: Annotated[int, Field(ge=0, le=9999)] = 0

    def forecast(self) -> Forecast:
        what = "every key" if self.keys is None else f"the keys `{self.keys}`"
        return Forecast(
            f"{what} of {self.target} deleted",
            "nothing: what is deleted stays deleted",
            "a Redis that is gone: it goes on answering",
        )

    def told(self) -> Mapping[str, Json]:
        return {"keys": self.keys, "db": self.db}

    async def read(self, place: Place) -> Mapping[str, Json]:
        before = await _left(place)
        if before == 0:
            what = "holds no key" if self.keys is None else f"holds no key `{self.keys}`"
            raise FaultFailed(f"`{place.container.name}` {what}: there is nothing to lose")
        return {"before": before, "calls": await _calls(place)}

    async def act(self, place: Place) -> None:
        if self.keys is None:
            await redis.ask(place, "FLUSHALL")
        else:
            await redis.pages(place, DELETE, self.keys)

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        before, after = place.row["before"], await _left(place)
        return Receipt(
            await _calls(place) > place.row["calls"], f"{before} keys before, {after} after"
        )

    @classmethod
    async def lift(cls, place: Place) -> None:
        """Nothing brings them back."""

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        return Receipt(True, f"it holds {await _left(place)} such keys now")


async def _left(place: Place) -> int:
    if place.undo["keys"] is None:
        return await redis.key_count(place)
    return await redis.pages(place, redis.COUNT, place.undo["keys"])


async def _calls(place: Place) -> int:
    """Count the deleting commands so far: a cache that refills at once must not hide a flush."""
    rows = await redis.statistics(place, "commandstats")
    return sum(redis.counted(rows, f"cmdstat_{command}") for command in _COMMANDS)
