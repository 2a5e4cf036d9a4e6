"""Late fill: a reader fills the cache with what it read before a write, after that write."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import (
    CONNECTIONS,
    DONE,
    FIXED,
    cached,
    database,
    document,
    forget,
    keep_newest,
    load,
    open_documents,
    redis,
    store,
)

cache = redis()


async def open() -> None:
    await open_documents()
    # Opens sessions: later, with a slow Postgres, each would take four times as long as an answer.
    await asyncio.gather(*(database.one("SELECT 1") for _ in range(CONNECTIONS)))


async def write(request: Request) -> Response:
    key, version = int(request.path_params["key"]), (await request.json())["version"]
    await store(key, version)
    if FIXED:
        await keep_newest(cache, key, version)
    else:
        await forget(cache, key)
    return DONE


async def read(request: Request) -> Response:
    key = int(request.path_params["key"])
    version = await cached(cache, key)
    if version is None:
        version = await load(key)  # a slow answer: meanwhile somebody may write, and forget the key
        if version is not None and FIXED:
            await keep_newest(cache, key, version)
        elif version is not None:
            await cache.set(f"document:{key}", version)
    return document(version)


ROUTES = [
    Route("/documents/{key:int}", write, methods=["PUT"]),
    Route("/documents/{key:int}", read),
]
