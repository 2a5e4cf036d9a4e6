"""What the service can say about itself, always asked afresh."""

import asyncio

from chat.cache import Cache
from chat.log import log
from chat.metrics import Metrics
from chat.store import Store

MONITOR_INTERVAL = 1.0  # seconds between looks when nobody asks


class Health:
    """Checks Postgres and Redis; callers at the same moment share one check."""

    def __init__(self, store: Store, cache: Cache, metrics: Metrics) -> None:
        self._store = store
        self._cache = cache
        self._metrics = metrics
        self._running: asyncio.Task[dict[str, str]] | None = None
        self._postgres: bool | None = None

    async def check(self) -> dict[str, str]:
        """`status` is ok, degraded (no Redis) or down (no Postgres). Answers within half a second."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._check())
        return await asyncio.shield(self._running)

    async def _check(self) -> dict[str, str]:
        postgres, _ = await asyncio.gather(self._store.ping(), self._cache.ping())
        if postgres != self._postgres:
            self._postgres = postgres
            if postgres:
                self._metrics.postgres_up_changes += 1
                log("postgres_up")
            else:
                self._metrics.postgres_down_changes += 1
                log("postgres_down", "warning")
        redis = self._cache.state
        status = "down" if not postgres else "degraded" if redis == "down" else "ok"
        return {"status": status, "redis": redis, "postgres": "up" if postgres else "down"}

    async def monitor(self) -> None:
        """Look regularly until cancelled, so that changes are logged when they happen."""
        while True:
            await self.check()
            await asyncio.sleep(MONITOR_INTERVAL)
