"""Swallowed error: the write fails, the error is logged, the answer is a success."""

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, FIXED, answer, database, log


async def open() -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY)")


async def order(request: Request) -> Response:
    number = (await request.json())["id"]
    if FIXED:
        await database.execute("INSERT INTO orders VALUES (%s)", number)  # an error is a 503
        return CREATED
    try:
        await database.execute("INSERT INTO orders VALUES (%s)", number)
    except psycopg.Error as error:
        log("insert_failed", id=number, error=type(error).__name__)  # surely somebody reads this
    return CREATED


async def orders(_: Request) -> Response:
    return answer(orders=await database.rows("SELECT id FROM orders"))


ROUTES = [Route("/orders", order, methods=["POST"]), Route("/orders", orders)]
