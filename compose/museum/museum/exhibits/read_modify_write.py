"""Read, modify, write: two requests read the same number and both write it plus one."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import DONE, FIXED, answer, redis

store = redis()


async def visit(_: Request) -> Response:
    if FIXED:
        await store.incr("visits")
    else:
        count = int(await store.get("visits") or 0)
        await store.set("visits", count + 1)
    return DONE


async def visits(_: Request) -> Response:
    return answer(count=int(await store.get("visits") or 0))


ROUTES = [Route("/visits", visit, methods=["POST"]), Route("/visits", visits)]
