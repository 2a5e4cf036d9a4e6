"""Acknowledged before commit: the answer does not wait for the database."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, FIXED, StoreErrors, answer, database, log

_background: set[asyncio.Task[None]] = set()


async def open() -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY)")


async def order(request: Request) -> Response:
    number = (await request.json())["id"]
    if FIXED:
        await database.execute("INSERT INTO orders VALUES (%s)", number)
        return CREATED
    # So much faster: and when the database is away, the customer has been told already.
    task = asyncio.create_task(commit_later(number))
    _background.add(task)
    task.add_done_callback(_background.discard)
    return CREATED


async def commit_later(number: int) -> None:
    try:
        await database.execute("INSERT INTO orders VALUES (%s)", number)
    except StoreErrors as error:
        log("order_lost", id=number, error=type(error).__name__)


async def orders(_: Request) -> Response:
    return answer(orders=await database.rows("SELECT id FROM orders"))


ROUTES = [Route("/orders", order, methods=["POST"]), Route("/orders", orders)]
