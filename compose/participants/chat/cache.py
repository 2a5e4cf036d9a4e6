"""Redis: a cache that may be slow, wrong, empty or gone without a user noticing more than speed.

How a cached count stays right:

- A change is committed in Postgres first; then the key is deleted and the chat's generation raised. A reader
  that fills the cache passes the generation it saw before it read Postgres, and Redis stores the value only
  if that has not changed: a slow reader cannot bring back an old count.
- A change that Redis could not be told about is remembered (`_missed`) and announced through Postgres, so that
  a replica which still reaches Redis deletes the key. After an outage the missed keys are deleted before the
  cache counts as up, so a count from before the outage is never served as fresh. Everything else in an
  append-only Redis stays.
- A process that died may have taken its missed keys with it, so a starting process empties the cache.

No request waits for a dead Redis: the first failed call marks it down, the monitor alone tries to reconnect.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from chat.config import Settings
from chat.log import log
from chat.metrics import Metrics

CALL_TIMEOUT = 0.4  # seconds for one call, connecting included
LONGEST_RETRY_DELAY = 1.0  # seconds; keeps the recovery short whatever REDIS_RETRY_DELAY says
MISSED_LIMIT = 10_000  # beyond this, everything is deleted instead
_GENERATION_LIFE = 3600  # seconds after the last change; only has to outlive one read of Postgres

_FILL = """
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""

T = TypeVar("T")


class CacheDown(Exception):
    """Redis cannot be used now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached count and when it was taken, in seconds since the epoch."""

    count: int
    updated_at: float


@dataclass(frozen=True, slots=True)
class Lookup:
    """What Redis holds for a chat; `generation` allows a later fill (None: it does not)."""

    entry: Entry | None
    generation: str | None


def _key(chat_id: int) -> str:
    return f"participants:{chat_id}"


def _generation_key(chat_id: int) -> str:
    return f"participants-generation:{chat_id}"


def text(raw: bytes | str | None) -> str:
    """A reply as text, however damaged."""
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw or ""


def _parse(raw: str) -> Entry | None:
    try:
        data = json.loads(raw)
        entry = Entry(data["count"], data["updated_at"])
    except (ValueError, TypeError, KeyError):
        return None
    valid = (
        type(entry.count) is int and entry.count >= 0 and isinstance(entry.updated_at, int | float)
    )
    return entry if valid else None


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)


class Cache:
    """Counts by chat, and the state of the connection: `up`, `down`, `disabled`."""

    def __init__(
        self, settings: Settings, metrics: Metrics, announce: Callable[[int], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._announce = announce
        self.state = "down" if settings.redis_url else "disabled"
        self._known = False  # whether `state` was logged yet
        self._went_down = asyncio.Event()
        self._epoch = 0  # one more for each connection; late failures of an old one change nothing
        self._missed: set[int] = set()
        self._missed_all = True
        self.redis = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                settings.redis_url or "redis://disabled",
                max_connections=64,
                timeout=CALL_TIMEOUT,
                socket_timeout=CALL_TIMEOUT,
                socket_connect_timeout=CALL_TIMEOUT,
                retry=Retry(NoBackoff(), 0),  # redis-py would hide an outage behind its own retries
                lib_name=None,  # saves two round trips on each new connection
                lib_version=None,
            )
        )

    # --- the connection ---

    async def call(self, action: Callable[[Redis], Awaitable[T]]) -> T:
        """Run one action; raises `CacheDown` within `CALL_TIMEOUT`. A refusal by a living Redis is no outage."""
        if self.state != "up":
            raise CacheDown
        epoch = self._epoch
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                return await action(self.redis)
        except ResponseError as error:
            self._metrics.cache_errors += 1
            raise CacheDown from error
        except (RedisError, OSError) as error:
            self._metrics.cache_errors += 1
            if epoch == self._epoch:
                self._set_state("down", reason=_reason(error))
            raise CacheDown from error

    def _set_state(self, state: str, **fields: object) -> None:
        if self._known and self.state == state:
            return
        self._known, self.state = True, state
        if state == "up":
            self._epoch += 1
            self._metrics.redis_up_changes += 1
            log("redis_up", **fields)
        else:
            self._went_down.set()
            self._metrics.redis_down_changes += 1
            log("redis_down", "warning", **fields)

    async def _reconnect(self) -> bool:
        """Open a connection, delete what went stale meanwhile, and count as up again."""
        try:
            await self.redis.connection_pool.disconnect()
            async with asyncio.timeout(CALL_TIMEOUT):
                await self.redis.ping()
            # The last look at what was missed and the change of state happen without a pause between them.
            while self._missed or self._missed_all:
                missed, everything = self._missed, self._missed_all
                self._missed, self._missed_all = set(), False
                try:
                    async with asyncio.timeout(5):
                        await self._delete(missed, everything)
                except BaseException:
                    self._missed |= missed
                    self._missed_all |= everything
                    raise
        except (RedisError, OSError) as error:
            self._set_state("down", reason=_reason(error))
            return False
        self._went_down.clear()
        self._set_state("up")
        return True

    async def start(self) -> None:
        """Try to connect `REDIS_MAX_RETRIES` times more than once; without Redis the service starts anyway."""
        if self.state == "disabled":
            return
        for attempt in range(self._settings.redis_max_retries + 1):
            if attempt:
                await asyncio.sleep(min(self._settings.redis_retry_delay, LONGEST_RETRY_DELAY))
            if await self._reconnect():
                return

    async def monitor(self) -> None:
        """Keep the state true until cancelled: ping while up, reconnect for ever while down."""
        while self.state != "disabled":
            if self.state == "up":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.redis_health_check_interval):
                        await self._went_down.wait()
                await self.ping()
                continue
            if self._settings.bug == "no-reconnect":
                return
            await asyncio.sleep(min(self._settings.redis_retry_delay, LONGEST_RETRY_DELAY))
            await self._reconnect()

    async def ping(self) -> None:
        """Ask Redis now, so that `state` is fresh."""
        with contextlib.suppress(CacheDown):
            await self.call(lambda redis: redis.ping())

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()

    # --- the counts ---

    async def get(self, chat_id: int) -> Lookup:
        """Look a chat up; an unusable Redis is a miss that cannot be filled."""
        try:
            if chat_id in self._missed:
                raise CacheDown
            raw, generation = await self.call(
                lambda redis: redis.mget(_key(chat_id), _generation_key(chat_id))
            )
        except CacheDown:
            self._metrics.cache_misses += 1
            return Lookup(None, None)
        entry = None
        if raw is not None and (entry := _parse(text(raw))) is None:
            self._metrics.cache_errors += 1
            log("cache_entry_corrupt", "warning", chat_id=chat_id)
        self._metrics.cache_hits += entry is not None
        self._metrics.cache_misses += entry is None
        return Lookup(entry, text(generation))

    async def generation(self, chat_id: int) -> str | None:
        """Only the generation, for a fill that must not count as a miss."""
        try:
            return text(await self.call(lambda redis: redis.get(_generation_key(chat_id))))
        except CacheDown:
            return None

    async def fill(self, chat_id: int, entry: Entry, generation: str | None) -> None:
        """Store a count that was read after `generation` was."""
        if generation is None:
            return
        value = json.dumps({"count": entry.count, "updated_at": entry.updated_at})
        life = int(self._settings.participants_cache_ttl * 1000)
        with contextlib.suppress(CacheDown):
            await self.call(
                lambda redis: redis.eval(
                    _FILL, 2, _key(chat_id), _generation_key(chat_id), generation, value, life
                )
            )

    async def invalidate(self, chat_id: int, *, announce: bool = True) -> None:
        """Forget a chat's count, now or as soon as Redis is back."""
        if self.state == "disabled":
            return
        try:
            await self.call(lambda _: self._delete({chat_id}, everything=False))
        except CacheDown:
            self._missed.add(chat_id)
            if len(self._missed) > MISSED_LIMIT:
                self._missed, self._missed_all = set(), True
            if announce:
                await self._announce(chat_id)

    async def _delete(self, chat_ids: set[int], everything: bool) -> None:
        if everything:
            async for key in self.redis.scan_iter(match="participants:*", count=1000):
                await self.redis.unlink(key)
        if not chat_ids:
            return
        pipe = self.redis.pipeline(transaction=False)
        for chat_id in chat_ids:
            # The generation first: a fill between the two must already be refused.
            # At its memory limit Redis may refuse these two; it then refuses fills too, and still deletes.
            pipe.incr(_generation_key(chat_id))
            pipe.expire(_generation_key(chat_id), _GENERATION_LIFE)
            pipe.unlink(_key(chat_id))
        replies = await pipe.execute(raise_on_error=False)
        for reply in replies[2::3]:
            if isinstance(reply, RedisError):
                raise reply
