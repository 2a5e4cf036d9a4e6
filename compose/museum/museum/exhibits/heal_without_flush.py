"""Heal without flush: the cache was away, is back, and what it holds is believed again."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import (
    DONE,
    FIXED,
    StoreErrors,
    cached,
    document,
    keep_newest,
    load,
    log,
    open_documents,
    redis,
    store,
)

LOOK_EVERY = 0.1  # seconds

cache = redis(timeout=0.3)
_cache_is_up = True  # while it is not, the service works without it
_watcher: asyncio.Task[None] | None = None


async def open() -> None:
    global _watcher
    await open_documents()
    _watcher = asyncio.create_task(watch())


async def watch() -> None:
    global _cache_is_up
    while True:
        await asyncio.sleep(LOOK_EVERY)
        if _cache_is_up:
            continue
        try:
            if FIXED:
                await cache.flushdb()  # it knows nothing of the writes it missed
            else:
                await cache.ping()
        except StoreErrors:
            continue
        _cache_is_up = True
        log("cache_up")


def cache_failed(error: Exception) -> None:
    global _cache_is_up
    if _cache_is_up:
        log("cache_down", error=type(error).__name__)
    _cache_is_up = False


async def write(request: Request) -> Response:
    key, version = int(request.path_params["key"]), (await request.json())["version"]
    await store(key, version)
    if _cache_is_up:
        try:
            await keep_newest(cache, key, version)
        except StoreErrors as error:
            cache_failed(error)
    return DONE


async def read(request: Request) -> Response:
    key = int(request.path_params["key"])
    version = None
    if _cache_is_up:
        try:
            version = await cached(cache, key)
        except StoreErrors as error:
            cache_failed(error)
    return document(version if version is not None else await load(key))


ROUTES = [
    Route("/documents/{key:int}", write, methods=["PUT"]),
    Route("/documents/{key:int}", read),
]
