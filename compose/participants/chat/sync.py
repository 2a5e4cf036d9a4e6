"""Counts from MAX: on demand, when a stale count is read, and by a background worker."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import httpx

from chat.cache import Cache, Entry
from chat.config import Settings
from chat.log import log
from chat.metrics import Metrics
from chat.store import Count, Store, StoreDown, UnknownChat

CONCURRENCY = 8  # questions to MAX at a time
LAZY_LIMIT = 50  # lazy updates at a time; more would only queue behind a slow MAX
LAZY_PAUSE = 5.0  # seconds before a chat whose lazy update failed is tried again


class MaxApiError(Exception):
    """MAX refused, broke or talked nonsense."""


class MaxApiTimeout(MaxApiError):
    """MAX did not answer within PARTICIPANTS_MAX_API_TIMEOUT."""


class Sync:
    """Keeps the database's counts equal to MAX's, and the cache equal to the database."""

    def __init__(self, settings: Settings, store: Store, cache: Cache, metrics: Metrics) -> None:
        self._settings = settings
        self._store = store
        self._cache = cache
        self._metrics = metrics
        self._client = httpx.AsyncClient(base_url=settings.max_api_url)
        self._lazy: dict[int, asyncio.Task[None]] = {}
        self._not_before: dict[int, float] = {}  # chat: loop time of the next lazy update
        self._full_update_on: object = None

    async def _ask(self, max_id: int) -> int:
        try:
            # One deadline for the whole exchange: httpx's own would start anew with each byte.
            async with asyncio.timeout(self._settings.participants_max_api_timeout):
                response = await self._client.get(f"/chats/{max_id}", timeout=None)
            count = response.raise_for_status().json()["participants_count"]
        except TimeoutError:
            raise MaxApiTimeout("max-api did not answer in time") from None
        except httpx.HTTPStatusError as error:
            raise MaxApiError(f"max-api answered {error.response.status_code}") from None
        except httpx.HTTPError as error:
            raise MaxApiError(f"max-api cannot be reached: {type(error).__name__}") from None
        except (ValueError, KeyError, TypeError):
            raise MaxApiError("max-api answered with something that is no count") from None
        if type(count) is not int or not 0 <= count < 2**31:
            raise MaxApiError("max-api answered with something that is no count")
        return count

    async def read(self, chat_id: int, generation: str | None) -> Count:
        """Read the database's count, and fill the cache with it."""
        count = await self._store.count(chat_id)
        await self._cache.fill(
            chat_id, Entry(count.count, datetime.now(UTC).timestamp()), generation
        )
        return count

    async def update(self, chat_id: int) -> Count:
        """Bring database and cache up to date, asking MAX where the chat has an id there."""
        known = await self._store.count(chat_id)
        if known.max_id is not None and not self._settings.participants_integration_disabled:
            asked_at = datetime.now(UTC)
            await self._store.save_max_count(chat_id, await self._ask(known.max_id), asked_at)
        await self._cache.invalidate(chat_id)
        return await self.read(chat_id, await self._cache.generation(chat_id))

    def update_lazily(self, chat_id: int) -> None:
        """Start an update in the background, unless one runs, failed just now, or too many do."""
        now = asyncio.get_running_loop().time()
        if (
            not self._settings.participants_enable_lazy_update
            or chat_id in self._lazy
            or len(self._lazy) >= LAZY_LIMIT
            or now < self._not_before.get(chat_id, 0)
        ):
            return
        self._metrics.lazy_updates += 1
        task = asyncio.create_task(self._update_quietly(chat_id))
        self._lazy[chat_id] = task
        task.add_done_callback(lambda _: self._lazy.pop(chat_id, None))

    async def _update_quietly(self, chat_id: int) -> None:
        try:
            await self.update(chat_id)
            self._not_before.pop(chat_id, None)
        except Exception as error:  # noqa: BLE001  # nobody waits for this; the reader already has an answer
            self._metrics.lazy_update_errors += 1
            self._not_before[chat_id] = asyncio.get_running_loop().time() + LAZY_PAUSE
            log(
                "lazy_update_failed",
                "warning",
                chat_id=chat_id,
                reason=str(error) or type(error).__name__,
            )

    async def work(self) -> None:
        """Work in the background until cancelled: no bad item stops a batch, no dead cycle stops the worker."""
        if (
            not self._settings.participants_enable_background_sync
            or self._settings.participants_integration_disabled
        ):
            return
        while True:
            await asyncio.sleep(self._settings.participants_update_interval)
            self._metrics.worker_cycles += 1
            try:
                await self._cycle()
            except Exception as error:  # noqa: BLE001  # whatever it was, the next cycle may be luckier
                self._metrics.worker_cycle_errors += 1
                log("worker_cycle_failed", "warning", reason=str(error) or type(error).__name__)

    async def _cycle(self) -> None:
        now = datetime.now(UTC)
        # Once a day, in the given hour, everything is asked again, however fresh.
        full = (
            now.hour == self._settings.participants_full_update_hour
            and self._full_update_on != now.date()
        )
        age = 0.0 if full else self._settings.participants_update_interval
        chats = await self._store.chats_to_sync(now - timedelta(seconds=age))
        if full:
            self._full_update_on = now.date()
        size = self._settings.participants_batch_size
        errors = 0
        for start in range(0, len(chats), size):
            self._metrics.worker_batches += 1
            errors += await self._batch(chats[start : start + size])
        log("worker_cycle", chats=len(chats), errors=errors, full=full)

    async def _batch(self, chats: list[int]) -> int:
        at_once = asyncio.Semaphore(CONCURRENCY)

        async def one(chat_id: int) -> bool:
            async with at_once:
                self._metrics.worker_items += 1
                try:
                    await self.update(chat_id)
                except (MaxApiError, StoreDown, UnknownChat) as error:
                    self._metrics.worker_item_errors += 1
                    log("worker_item_failed", "warning", chat_id=chat_id, reason=str(error))
                    return True
                return False

        return sum(await asyncio.gather(*(one(chat_id) for chat_id in chats)))

    async def close(self) -> None:
        """Stop lazy updates and close the connections."""
        for task in list(self._lazy.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._client.aclose()
