"""`redis_corrupt`: keys that hold something else than what was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow

if TYPE_CHECKING:
    from chaoskit.records import Json

MOST = 1000  # keys of one store

# What a poisoned value holds: not UTF-8, not JSON, not a number, and found again by its middle.
_SHARED = r"""
local saved, mark = ARGV[3], '\255\254{' .. ARGV[3]
local function kind_of(key) return redis.call('TYPE', key)['ok'] end
local function has(list) for _, one in ipairs(list) do if one == mark then return true end end end
local function poisoned(key)
  local kind = kind_of(key)
  if kind == 'string' then return redis.call('GET', key) == mark end
  if kind == 'list' then return has(redis.call('LRANGE', key, 0, -1)) end
  if kind == 'set' then return redis.call('SISMEMBER', key, mark) == 1 end
  if kind == 'zset' then return redis.call('ZSCORE', key, mark) ~= false end
  if kind == 'hash' then return has(redis.call('HVALS', key)) end
  if kind == 'stream' then
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      if has(entry[2]) then return true end
    end
  end
  return false
end
"""
POISON = (
    _SHARED
    + f"""
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[4], 'COUNT', 1000)
local how, room, done = ARGV[5], tonumber(ARGV[6]) - tonumber(ARGV[2]), 0
for _, key in ipairs(page[2]) do
  local old = saved .. key
  local kind = kind_of(key)
  if string.sub(key, 1, {len(redis.OURS)}) ~= '{redis.OURS}' and kind ~= 'none'
    and done < room and redis.call('EXISTS', old) == 0 then
    local left = redis.call('PTTL', key)
    local fields, length = nil, 1
    if kind == 'hash' then fields = redis.call('HKEYS', key) end
    if kind == 'list' then length = math.min(redis.call('LLEN', key), 100) end
    redis.call('RENAME', key, old)
    if how == 'wrong-type' then
      if kind == 'string' then redis.call('RPUSH', key, mark) else redis.call('SET', key, mark) end
    elseif kind == 'list' then
      for _ = 1, length do redis.call('RPUSH', key, mark) end
    elseif kind == 'set' then redis.call('SADD', key, mark)
    elseif kind == 'zset' then redis.call('ZADD', key, 0, mark)
    elseif kind == 'hash' then
      for _, field in ipairs(fields) do redis.call('HSET', key, field, mark) end
    elseif kind == 'stream' then redis.call('XADD', key, '*', 'chaoskit', mark)
    else redis.call('SET', key, mark) end
    if left > 0 then redis.call('PEXPIRE', key, left) end
    done = done + 1
  end
end
return page[1] .. ' ' .. done
"""
)
# What the app deleted or wrote anew meanwhile is its own; only what still is poisoned goes back.
RESTORE = (
    _SHARED
    + """
local page = redis.call('SCAN', ARGV[1], 'MATCH', saved .. '*', 'COUNT', 1000)
local back = 0
for _, old in ipairs(page[2]) do
  local key = string.sub(old, #saved + 1)
  if poisoned(key) then
    redis.call('RENAME', old, key)
    back = back + 1
  else
    redis.call('DEL', old)
  end
end
return page[1] .. ' ' .. back
"""
)
POISONED = (
    _SHARED
    + """
local page = redis.call('SCAN', ARGV[1], 'MATCH', saved .. '*', 'COUNT', 1000)
local found = 0
for _, old in ipairs(page[2]) do
  if ARGV[4] == 'saved' or poisoned(string.sub(old, #saved + 1)) then found = found + 1 end
end
return page[1] .. ' ' .. found
"""
)


class CorruptRow(StoreRow):
    """How many keys match."""

    found: int


class CorruptUndo(RedisUndo[CorruptRow]):
    """The keys to replace."""

    keys: str


@fault("redis_corrupt")
class RedisCorrupt(StoreFault[CorruptUndo]):
    """Replace the values of matching keys by garbage; the heal brings the true values back.

    `how: garbage` keeps each key's type, `how: wrong-type` does not (a string becomes a list,
    anything else a string). Time to live stays. The true values wait in the same Redis under names
    that start with `chaoskit:`; a key that the application writes anew or deletes meanwhile stays
    as the application left it. At most 1000 keys.
    """

    undo_model = CorruptUndo
    example = "{ at: 2s, for: 5s, fault: redis_corrupt, service: redis, keys: 'chat:*' }"
    lasting = True
    alone = True

    keys: Annotated[str, Field(min_length=1, max_length=500)]
    how: Literal["garbage", "wrong-type"] = "garbage"
    db: Annotated[int, Field(ge=0, le=9999)] = 0

    def forecast(self) -> Forecast:
        what = "garbage" if self.how == "garbage" else "values of the wrong type"
        return Forecast(
            f"the keys `{self.keys}` of {self.target} hold {what}",
            "give every key that still holds it its true value and time to live",
            "torn or damaged files: the server itself is well",
        )

    def undo_fields(self) -> Mapping[str, Json]:
        return {"keys": self.keys, "db": self.db}

    async def read_one(self, store: Store[CorruptUndo]) -> CorruptRow:
        found = await redis.pages(store, redis.COUNT, self.keys)
        if found == 0:
            raise FaultFailed(f"`{store.container.name}` holds no key `{self.keys}`")
        if found > MOST:
            raise FaultFailed(
                f"`{store.container.name}` holds {found} keys `{self.keys}`, more than {MOST}"
            )
        return CorruptRow(replica=store.replica, found=found)

    async def inject_one(self, store: Store[CorruptUndo]) -> None:
        await redis.pages(store, POISON, _saved(store), self.keys, self.how, str(MOST))

    @classmethod
    async def verify_one(cls, store: Store[CorruptUndo]) -> Receipt:
        found = await redis.pages(store, POISONED, _saved(store), "poisoned")
        return Receipt(found > 0, f"{found} of {store.undo.of(store).found} keys hold garbage")

    @classmethod
    async def heal_one(cls, store: Store[CorruptUndo]) -> None:
        await redis.pages(store, RESTORE, _saved(store))

    @classmethod
    async def verify_healed_one(cls, store: Store[CorruptUndo]) -> Receipt:
        left = await redis.pages(store, POISONED, _saved(store), "saved")
        return Receipt(left == 0, f"{left} keys hold garbage")


def _saved(store: Store[CorruptUndo]) -> str:
    return f"{redis.OURS}{store.undo.fault}:"
