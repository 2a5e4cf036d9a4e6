"""Stale address: a web server looks its upstream up once, and the upstream moves."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, answer, database

# Nothing is wrong here: it is the nginx in front of it that is broken, or repaired.


async def open() -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY)")


async def order(request: Request) -> Response:
    await database.execute(
        "INSERT INTO orders VALUES (%s) ON CONFLICT DO NOTHING", (await request.json())["id"]
    )
    return CREATED


async def orders(_: Request) -> Response:
    return answer(orders=await database.rows("SELECT id FROM orders"))


ROUTES = [Route("/orders", order, methods=["POST"]), Route("/orders", orders)]
