"""Start the service: `python3 -m chat`."""

import asyncio
import contextlib
import os
import signal
import sys

import uvicorn

from chat import grpc_health
from chat.app import Api
from chat.cache import Cache
from chat.config import ConfigError, Settings, load
from chat.health import Health
from chat.log import capture_library_logs, log
from chat.metrics import Metrics
from chat.pending import Pending
from chat.store import Store, StoreDown
from chat.sync import Sync

HTTP_PORT = 8082
GRPC_PORT = 9092
EX_CONFIG = 78  # sysexits.h
GRACE = 2  # seconds for requests under way at SIGTERM


async def _serve(settings: Settings) -> None:
    metrics = Metrics()
    store = Store(settings.database_url)

    async def announce(chat_id: int) -> None:
        with contextlib.suppress(
            StoreDown
        ):  # the change itself is committed; other replicas' cache has its TTL
            await store.announce(chat_id)

    cache = Cache(settings, metrics, announce)
    sync = Sync(settings, store, cache, metrics)
    health = Health(store, cache, metrics)
    pending = Pending(store, cache) if settings.bug == "cache-as-truth" else None

    with contextlib.suppress(StoreDown):  # it starts anyway, and says 503
        await store.prepare()
    await cache.start()
    background = [
        asyncio.create_task(cache.monitor()),
        asyncio.create_task(health.monitor()),
        asyncio.create_task(sync.work()),
        asyncio.create_task(
            store.listen(lambda chat_id: cache.invalidate(chat_id, announce=False))
        ),
    ]
    if pending:
        background.append(asyncio.create_task(pending.flush()))

    grpc_server = await grpc_health.serve(health, GRPC_PORT)
    app = Api(settings, store, cache, sync, health, metrics, pending).application()
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104  # inside a container
        port=HTTP_PORT,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE,
    )
    log("started", http_port=HTTP_PORT, grpc_port=GRPC_PORT)
    await uvicorn.Server(config).serve()  # until SIGTERM or SIGINT, requests under way included

    log("stopping")
    await grpc_server.stop(grace=0.5)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await sync.close()
    await cache.close()
    await store.close()
    log("stopped")


def main() -> int:
    """Run until stopped; returns the exit code."""
    capture_library_logs()
    try:
        settings = load(os.environ)
    except ConfigError as error:
        for problem in str(error).splitlines():
            log("bad_configuration", "error", message=problem)
        return EX_CONFIG
    log("configured", **settings.public())
    # uvicorn raises the signal once more after its shutdown; ours comes after that.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Config(app=None, log_config=None).setup_event_loop()  # only for uvloop
    asyncio.run(_serve(settings))
    return 0


sys.exit(main())
