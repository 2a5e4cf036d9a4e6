"""Pop before ack: a job leaves the queue before anybody is sure to have it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, DONE, FIXED, StoreErrors, answer, redis

PATIENCE = 700  # milliseconds after which a job without an acknowledgement goes back

store = redis(timeout=0.5)

# Whatever was taken and not acknowledged in time goes back; then one is taken and remembered.
TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1])) do
  redis.call('ZREM', KEYS[2], job)
  redis.call('RPUSH', KEYS[1], job)
end
local job = redis.call('LPOP', KEYS[1])
if job then redis.call('ZADD', KEYS[2], now, job) end
return job
"""


async def send(request: Request) -> Response:
    await store.rpush("jobs", (await request.json())["id"])
    return CREATED


async def work(_: Request) -> Response:
    """Take the next job and do it: its id in the answer is what was done."""
    if not FIXED:
        job = await store.lpop("jobs")
        return DONE if job is None else answer(id=int(job))
    job = await store.eval(TAKE, 2, "jobs", "taken", PATIENCE)
    if job is None:
        return DONE
    try:
        await store.zrem("taken", job)
    except StoreErrors:
        pass  # the job is done, and will be done again: at least once
    return answer(id=int(job))


ROUTES = [Route("/jobs", send, methods=["POST"]), Route("/jobs/next", work, methods=["POST"])]
