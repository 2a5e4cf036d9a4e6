"""Cache as truth: what was acknowledged is in Redis only, and a worker saves it from time to time."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, FIXED, StoreErrors, answer, database, log, redis

SAVE_EVERY = 10.0  # seconds

cache = redis()
_saver: asyncio.Task[None] | None = None


async def open() -> None:
    global _saver
    await database.execute("CREATE TABLE IF NOT EXISTS members (id bigint PRIMARY KEY)")
    if not FIXED:
        _saver = asyncio.create_task(save_regularly())


async def join(request: Request) -> Response:
    number = (await request.json())["id"]
    if FIXED:
        await database.execute("INSERT INTO members VALUES (%s)", number)
        return CREATED
    # A Redis without persistence comes back empty.
    await cache.sadd("members", number)
    return CREATED


async def save_regularly() -> None:
    while True:
        await asyncio.sleep(SAVE_EVERY)
        try:
            for number in await cache.smembers("members"):
                await database.execute(
                    "INSERT INTO members VALUES (%s) ON CONFLICT DO NOTHING", int(number)
                )
        except StoreErrors as error:
            log("not_saved", error=type(error).__name__)


async def members(_: Request) -> Response:
    found = set(await database.rows("SELECT id FROM members"))
    if not FIXED:
        found |= {int(number) for number in await cache.smembers("members")}
    return answer(members=sorted(found))


ROUTES = [Route("/members", join, methods=["POST"]), Route("/members", members)]
