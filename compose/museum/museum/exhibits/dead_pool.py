"""Dead pool: connections that broke are put back into the pool, for ever."""

import asyncio
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from museum.plumbing import FIXED, RETRY, answer, connect, log

SIZE = 4

_pool: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()


async def open() -> None:
    for _ in range(SIZE):
        _pool.put_nowait(await connect())


async def stock(_: Request) -> Response:
    session = await _pool.get()
    try:
        if FIXED and session.closed:
            session = await connect()
        row = await (await session.execute("SELECT 42")).fetchone()
        return answer(stock=row[0])
    except psycopg.Error as error:
        log("query_failed", error=type(error).__name__)
        return RETRY
    finally:
        _pool.put_nowait(session)


ROUTES = [Route("/stock", stock)]
