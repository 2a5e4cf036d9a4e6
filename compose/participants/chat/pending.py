"""BUG=cache-as-truth: joins are acknowledged when Redis has them, and reach Postgres later.

In quiet weather nobody sees the difference. When Redis loses its data, acknowledged participants are gone.
"""

import asyncio
import contextlib

from chat.cache import Cache, CacheDown, text
from chat.log import log
from chat.store import Store, StoreDown, UnknownChat

FLUSH_INTERVAL = 2.0  # seconds
_KEY = "pending-joins"


class Pending:
    """The set of joins that Postgres has not seen yet."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self._cache = cache

    async def join(self, chat_id: int, user_id: int) -> bool:
        """Add to the set; False when already a participant. Without Redis it goes to Postgres."""
        members = await self._store.participants(chat_id)
        if any(member.user_id == user_id for member in members):
            return False
        try:
            return bool(
                await self._cache.call(lambda redis: redis.sadd(_KEY, f"{chat_id}:{user_id}"))
            )
        except CacheDown:
            return await self._store.join(chat_id, user_id)

    async def leave(self, chat_id: int, user_id: int) -> None:
        """Take a join back that Postgres has not seen."""
        with contextlib.suppress(CacheDown):
            await self._cache.call(lambda redis: redis.srem(_KEY, f"{chat_id}:{user_id}"))

    async def members(self, chat_id: int) -> list[int]:
        """Users whose join waits, for the list of participants."""
        return sorted(user for chat, user in await self._all() if chat == chat_id)

    async def _all(self) -> list[tuple[int, int]]:
        try:
            found = await self._cache.call(lambda redis: redis.smembers(_KEY))
        except CacheDown:
            return []
        pairs = (text(member).split(":") for member in found)
        return [(int(chat), int(user)) for chat, user in pairs]

    async def flush(self) -> None:
        """Write the set to Postgres every two seconds, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_INTERVAL)
            try:
                for chat_id, user_id in await self._all():
                    with contextlib.suppress(UnknownChat):
                        await self._store.join(chat_id, user_id)
                    await self.leave(chat_id, user_id)
                    await self._cache.invalidate(chat_id)
            except StoreDown as error:
                log("flush_failed", "warning", reason=str(error))
