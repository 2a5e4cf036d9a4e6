"""Local caches: each of two replicas keeps its own copy, and only one of them hears of a write."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import (
    DONE,
    FIXED,
    cached,
    document,
    keep_newest,
    load,
    open_documents,
    redis,
    store,
)

shared = redis()
_local: dict[int, int] = {}  # in this process only


async def open() -> None:
    await open_documents()


async def write(request: Request) -> Response:
    key, version = int(request.path_params["key"]), (await request.json())["version"]
    await store(key, version)
    if FIXED:
        await keep_newest(shared, key, version)
    else:
        _local[key] = version
    return DONE


async def read(request: Request) -> Response:
    key = int(request.path_params["key"])
    version = await cached(shared, key) if FIXED else _local.get(key)
    if version is None:
        version = await load(key)
        if version is not None and FIXED:
            await keep_newest(shared, key, version)
        elif version is not None:
            _local[key] = version
    return document(version)


ROUTES = [
    Route("/documents/{key:int}", write, methods=["PUT"]),
    Route("/documents/{key:int}", read),
]
