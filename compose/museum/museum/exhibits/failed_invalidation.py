"""Failed invalidation: the cache could not be told of a write, and nobody tells it later."""

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

TRY_AGAIN = 0.1  # seconds

cache = redis(timeout=0.5)
_owed: dict[int, int] = {}  # what the cache has not been told yet: versions by key
_teller: asyncio.Task[None] | None = None


async def open() -> None:
    global _teller
    await open_documents()
    if FIXED:
        _teller = asyncio.create_task(tell_what_is_owed())


async def write(request: Request) -> Response:
    key, version = int(request.path_params["key"]), (await request.json())["version"]
    await store(key, version)
    try:
        await keep_newest(cache, key, version)
    except StoreErrors as error:
        log("cache_not_told", key=key, error=type(error).__name__)
        if FIXED:
            _owed[key] = version
    return DONE


async def tell_what_is_owed() -> None:
    while True:
        await asyncio.sleep(TRY_AGAIN)
        for key, version in list(_owed.items()):
            try:
                await keep_newest(cache, key, version)
            except StoreErrors:
                break
            if _owed.get(key) == version:
                del _owed[key]


async def read(request: Request) -> Response:
    key = int(request.path_params["key"])
    try:
        version = None if key in _owed else await cached(cache, key)
    except StoreErrors:
        version = None
    return document(version if version is not None else await load(key))


ROUTES = [
    Route("/documents/{key:int}", write, methods=["PUT"]),
    Route("/documents/{key:int}", read),
]
