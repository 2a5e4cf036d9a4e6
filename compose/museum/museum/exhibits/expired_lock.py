"""Expired lock: the work takes longer than the lock lasts, and the next one comes in."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import DONE, FIXED, TAKEN, StoreErrors, redis

LASTS = 0.8  # seconds, unless it is renewed
RENEW_EVERY = 0.2  # seconds

store = redis()
_renewing: dict[str, asyncio.Task[None]] = {}

# Only the holder may touch its lock.
RENEW = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2])"
RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1])"


async def acquire(request: Request) -> Response:
    name, owner = request.path_params["name"], request.query_params["owner"]
    if not await store.set(f"lock:{name}", owner, nx=True, px=int(LASTS * 1000)):
        return TAKEN
    if FIXED:
        _renewing[owner] = asyncio.create_task(keep(name, owner))
    return DONE


async def keep(name: str, owner: str) -> None:
    """Renew a lock until it is released; when this process dies, it expires after all."""
    while True:
        await asyncio.sleep(RENEW_EVERY)
        try:
            if not await store.eval(RENEW, 1, f"lock:{name}", owner, int(LASTS * 1000)):
                return
        except StoreErrors:
            continue


async def release(request: Request) -> Response:
    name, owner = request.path_params["name"], request.query_params["owner"]
    renewing = _renewing.pop(owner, None)
    if renewing is not None:
        renewing.cancel()
    await store.eval(RELEASE, 1, f"lock:{name}", owner)
    return DONE


ROUTES = [
    Route("/locks/{name}", acquire, methods=["POST"]),
    Route("/locks/{name}", release, methods=["DELETE"]),
]
