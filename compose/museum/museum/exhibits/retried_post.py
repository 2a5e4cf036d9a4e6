"""Retried POST: the other service has done its work, the answer is lost, and it is asked again."""

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import CREATED, FIXED, RETRY, answer, database, log

TRIES = 3

bank = httpx.AsyncClient(base_url="http://app-2:8080", timeout=2.0)


async def open() -> None:
    await database.execute(
        'CREATE TABLE IF NOT EXISTS charges ("order" bigint NOT NULL, key text UNIQUE)'
    )


async def order(request: Request) -> Response:
    """The shop: has every order charged by the bank, which is the other replica."""
    number = (await request.json())["id"]
    headers = {"Idempotency-Key": f"order-{number}"} if FIXED else {}
    for _ in range(TRIES):
        try:
            done = await bank.post("/charges", json={"order": number}, headers=headers)
        except httpx.TransportError as error:
            log("charge_again", order=number, error=type(error).__name__)
            continue
        if done.is_success:
            return CREATED
    return RETRY


async def charge(request: Request) -> Response:
    """The bank: what has a key is charged once."""
    number = (await request.json())["order"]
    await database.execute(
        "INSERT INTO charges VALUES (%s, %s) ON CONFLICT (key) DO NOTHING",
        number,
        request.headers.get("Idempotency-Key"),
    )
    return CREATED


async def charges(_: Request) -> Response:
    return answer(orders=await database.rows('SELECT "order" FROM charges'))


ROUTES = [
    Route("/orders", order, methods=["POST"]),
    Route("/charges", charge, methods=["POST"]),
    Route("/charges", charges),
]
