"""Write skew: two customers see the last seat free, and each books it in a row of its own."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, FIXED, TAKEN, answer, database

SEATS = {"stalls": 40, "circle": 40, "gallery": 40, "lawn": 1_000_000}

LEFT = "SELECT seats - (SELECT count(*) FROM bookings WHERE area = %s) FROM areas WHERE area = %s"
BOOK = "INSERT INTO bookings (area) VALUES (%s)"
# All bookings of an area meet in one row: whoever comes second sees what the first has left.
BOOK_IF_FREE = """
WITH taken AS (UPDATE areas SET free = free - 1 WHERE area = %s AND free > 0 RETURNING area)
INSERT INTO bookings (area) SELECT area FROM taken
"""


async def open() -> None:
    await database.execute(
        "CREATE TABLE IF NOT EXISTS areas (area text PRIMARY KEY, seats int, free int)"
    )
    await database.execute(
        "CREATE TABLE IF NOT EXISTS bookings (id bigserial PRIMARY KEY, area text NOT NULL)"
    )
    for area, seats in SEATS.items():
        await database.execute(
            "INSERT INTO areas VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", area, seats, seats
        )


async def book(request: Request) -> Response:
    area = request.path_params["area"]
    if FIXED:
        return CREATED if await database.execute(BOOK_IF_FREE, area) else TAKEN
    if await database.one(LEFT, area, area) < 1:
        return TAKEN
    await database.execute(BOOK, area)
    return CREATED


async def free(request: Request) -> Response:
    area = request.path_params["area"]
    return answer(free=await database.one(LEFT, area, area))


ROUTES = [Route("/areas/{area}", book, methods=["POST"]), Route("/areas/{area}", free)]
