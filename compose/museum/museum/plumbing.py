"""What the exhibits share: two stores, a log, and answers. Nothing in here is broken."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from starlette.responses import JSONResponse, Response

FIXED = os.environ.get("FIXED", "") not in ("", "0")  # the repaired twin instead of the bug
DATABASE_URL = os.environ.get("DATABASE_URL", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
CONNECTIONS = 16
CONNECT_TIMEOUT = 2  # seconds

RETRY = Response(status_code=503)
CREATED = Response(status_code=201)
DONE = Response(status_code=204)
TAKEN = Response(status_code=409)
NOT_FOUND = Response(status_code=404)

StoreErrors = (psycopg.Error, RedisError, OSError)


def log(event: str, **fields: object) -> None:
    """Write one JSON object a line."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"ts": now, "event": event, **fields}, default=str) + "\n")
    sys.stdout.flush()


def answer(**fields: object) -> Response:
    """200 with a JSON object."""
    return JSONResponse(fields)


# ---- Redis ----


def redis(timeout: float | None = 2.0, attempts: int = 1) -> Redis:
    """A client that waits `timeout` seconds for each reply, and tries each command `attempts` times.

    Connecting never waits for longer than half a second: a host that went away says nothing.
    """
    return Redis.from_url(
        REDIS_URL,
        decode_responses=True,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout or 0.5, 0.5),
        retry=Retry(NoBackoff(), attempts - 1),
        # A new connection begins with the command: nothing is said about the client first.
        lib_name=None,
        lib_version=None,
    )


# ---- Postgres ----


async def connect() -> psycopg.AsyncConnection[Any]:
    """One new session; every statement outside of a transaction commits by itself."""
    return await psycopg.AsyncConnection.connect(
        DATABASE_URL, autocommit=True, connect_timeout=CONNECT_TIMEOUT
    )


class Database:
    """A few sessions that are reused; one that broke is replaced by a new one."""

    def __init__(self) -> None:
        # None stands for a session that has yet to be opened.
        self._free: asyncio.LifoQueue[psycopg.AsyncConnection[Any] | None] = asyncio.LifoQueue()
        for _ in range(CONNECTIONS):
            self._free.put_nowait(None)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A session for one caller at a time."""
        session = await self._free.get()
        try:
            if session is None:
                session = await connect()
            yield session
        finally:
            self._free.put_nowait(None if session is None or session.closed else session)

    async def execute(self, statement: str, *values: object) -> int:
        """Run one statement and commit it; returns how many rows it changed."""
        async with self.session() as session:
            return (await session.execute(statement, values)).rowcount

    async def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query; of a query with one column, its values."""
        async with self.session() as session:
            found = await (await session.execute(query, values)).fetchall()
        return [row[0] if len(row) == 1 else list(row) for row in found]

    async def one(self, query: str, *values: object) -> Any:
        """The first value or row; None where there is none."""
        found = await self.rows(query, *values)
        return found[0] if found else None


database = Database()

# ---- documents: versions by key, in Postgres, with a copy in Redis ----

# A copy is never replaced by an older one, whoever comes late.
_KEEP_NEWEST = """
local held = tonumber(redis.call('GET', KEYS[1]))
if not held or held < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
"""


async def open_documents() -> None:
    # Two replicas may both be the first.
    with contextlib.suppress(psycopg.errors.UniqueViolation):
        await database.execute(
            "CREATE TABLE IF NOT EXISTS documents (key bigint PRIMARY KEY, version bigint NOT NULL)"
        )


async def store(key: int, version: int) -> None:
    """Commit a version to Postgres."""
    await database.execute(
        "INSERT INTO documents VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET version = EXCLUDED.version",
        key,
        version,
    )


async def load(key: int) -> int | None:
    """The committed version, from Postgres."""
    return await database.one("SELECT version FROM documents WHERE key = %s", key)


async def keep_newest(cache: Redis, key: int, version: int) -> None:
    """Put a version into the cache, unless a newer one is there."""
    await cache.eval(_KEEP_NEWEST, 1, f"document:{key}", version)


async def cached(cache: Redis, key: int) -> int | None:
    """The version in the cache."""
    found = await cache.get(f"document:{key}")
    return None if found is None else int(found)


async def forget(cache: Redis, key: int) -> None:
    """Take a key out of the cache."""
    await cache.delete(f"document:{key}")


def document(version: int | None) -> Response:
    """200 with the version, 404 without."""
    return NOT_FOUND if version is None else answer(version=version)
