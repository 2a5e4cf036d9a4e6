"""Lost reply, client retry: an increment whose answer got lost is done again."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import DONE, FIXED, answer, default_redis

REMEMBERED = 60  # seconds that a visit is known to have been counted

store = default_redis(timeout=0.2)  # tries three times again after a timeout, by itself

# The same visit counts once, however often it is sent.
COUNT_ONCE = """
if redis.call('SET', KEYS[2], 1, 'NX', 'EX', ARGV[1]) then redis.call('INCR', KEYS[1]) end
"""


async def visit(request: Request) -> Response:
    visit_id = (await request.json())["id"]
    if FIXED:
        await store.eval(COUNT_ONCE, 2, "visits", f"visit:{visit_id}", REMEMBERED)
    else:
        await store.incr("visits")
    return DONE


async def visits(_: Request) -> Response:
    return answer(count=int(await store.get("visits") or 0))


ROUTES = [Route("/visits", visit, methods=["POST"]), Route("/visits", visits)]
