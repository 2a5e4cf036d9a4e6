"""Postgres: the only truth. Every call ends within its deadline, with a result or `StoreDown`."""

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

OPERATION_TIMEOUT = 1.0  # seconds, from asking for a connection to the answer
PING_TIMEOUT = 0.45
POOL_SIZE = 10
NOTIFY_CHANNEL = "participants_changed"

_SCHEMA = (
    # Two replicas may start at once, and CREATE IF NOT EXISTS alone can collide.
    "SELECT pg_advisory_xact_lock(8082)",
    """CREATE TABLE IF NOT EXISTS chats (
         id bigint PRIMARY KEY,
         max_id bigint UNIQUE,
         max_count integer NOT NULL DEFAULT 0 CHECK (max_count >= 0),
         synced_at timestamptz)""",
    """CREATE TABLE IF NOT EXISTS participants (
         chat_id bigint NOT NULL REFERENCES chats,
         user_id bigint NOT NULL,
         joined_at timestamptz NOT NULL DEFAULT now(),
         PRIMARY KEY (chat_id, user_id))""",
    """INSERT INTO chats (id, max_id)
       SELECT n, CASE WHEN n <= 50 THEN 1000 + n END FROM generate_series(1, 100) AS n
       ON CONFLICT DO NOTHING""",
)


class StoreDown(Exception):
    """Postgres did not answer in time; whether a write happened is unknown."""


class UnknownChat(Exception):
    """There is no chat with this id."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many take part: the members of the MAX chat, and everyone who joined here."""

    count: int
    max_id: int | None
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Participant:
    """One who joined here."""

    user_id: int
    joined_at: datetime


Connection = AsyncConnection[TupleRow]


def _cut(conn: Connection) -> None:
    """End a call that overran: psycopg's own cancellation may wait for the server for seconds."""
    with contextlib.suppress(OSError, psycopg.Error):
        duplicate = socket.socket(fileno=os.dup(conn.fileno()))
        with contextlib.closing(duplicate):
            duplicate.shutdown(socket.SHUT_RDWR)


def _is_stale(conn: Connection) -> bool:
    """Whether an idle connection has something to read: then the server has hung up."""
    try:
        return conn.closed or bool(select.select([conn.fileno()], [], [], 0)[0])
    except (OSError, ValueError, psycopg.Error):
        return True


class Store:
    """A small pool and the queries. Nothing reconnects in the background: the next call does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(POOL_SIZE)
        self._ping_connection: Connection | None = None
        self._schema_ready = False

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(
            self._url,
            autocommit=True,
            application_name="chat",
            options="-c statement_timeout=900",  # before our own deadline, so that the server rolls back
            tcp_user_timeout=2000,
        )

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + OPERATION_TIMEOUT
        conn = None
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise StoreDown("no free connection") from None
        try:
            while self._idle and conn is None:
                conn = self._idle.pop()
                if _is_stale(conn):
                    await conn.close()
                    conn = None
            if conn is None:
                async with asyncio.timeout_at(deadline):
                    conn = await self._connect()
            timer = loop.call_at(deadline, _cut, conn)
            try:
                yield conn
            finally:
                timer.cancel()
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.InternalError,
            OSError,
        ) as error:
            raise StoreDown(str(error).strip() or type(error).__name__) from error
        finally:
            self._slots.release()
            if conn is not None:
                if (
                    conn.closed
                    or conn.broken
                    or conn.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE
                ):
                    await conn.close()
                else:
                    self._idle.append(conn)

    async def _query(self, sql: str, *params: Any) -> tuple[list[TupleRow], int]:
        await self.prepare()
        async with self._connection() as conn:
            cursor = await conn.execute(sql, params)
            rows = await cursor.fetchall() if cursor.description else []
            return rows, cursor.rowcount

    async def prepare(self) -> None:
        """Create what is missing, once; every call does it while Postgres was not there at the start."""
        if self._schema_ready:
            return
        async with self._connection() as conn, conn.transaction():
            for statement in _SCHEMA:
                await conn.execute(statement)
        self._schema_ready = True

    async def ping(self) -> bool:
        """Whether Postgres answers now. On a connection of its own, so that a full pool is not "down"."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PING_TIMEOUT
        conn = self._ping_connection
        try:
            if conn is None or _is_stale(conn):
                async with asyncio.timeout_at(deadline):
                    conn = self._ping_connection = await self._connect()
            timer = loop.call_at(deadline, _cut, conn)
            try:
                await conn.execute("SELECT 1")
            finally:
                timer.cancel()
        except (psycopg.Error, OSError):
            if self._ping_connection is not None:
                await self._ping_connection.close()
            self._ping_connection = None
            return False
        return True

    async def add_chat(self, chat_id: int, max_id: int | None) -> bool:
        """Create a chat; False when its id or its MAX id is taken."""
        sql = "INSERT INTO chats (id, max_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        return (await self._query(sql, chat_id, max_id))[1] == 1

    async def join(self, chat_id: int, user_id: int) -> bool:
        """Add a participant; False when already there. Returns after COMMIT."""
        sql = "INSERT INTO participants (chat_id, user_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        try:
            return (await self._query(sql, chat_id, user_id))[1] == 1
        except psycopg.errors.ForeignKeyViolation:
            raise UnknownChat(chat_id) from None

    async def leave(self, chat_id: int, user_id: int) -> bool:
        """Remove a participant; False when not there."""
        sql = "DELETE FROM participants WHERE chat_id = %s AND user_id = %s"
        return (await self._query(sql, chat_id, user_id))[1] == 1

    async def participants(self, chat_id: int) -> list[Participant]:
        """Everyone who joined here, in order of joining; raises `UnknownChat`."""
        sql = """SELECT p.user_id, p.joined_at FROM chats c LEFT JOIN participants p ON p.chat_id = c.id
                 WHERE c.id = %s ORDER BY p.joined_at, p.user_id"""
        rows, _ = await self._query(sql, chat_id)
        if not rows:
            raise UnknownChat(chat_id)
        return [Participant(user, joined) for user, joined in rows if user is not None]

    async def count(self, chat_id: int) -> Count:
        """The count as of now; raises `UnknownChat`."""
        sql = """SELECT max_count + (SELECT count(*) FROM participants WHERE chat_id = chats.id), max_id, synced_at
                 FROM chats WHERE id = %s"""
        rows, _ = await self._query(sql, chat_id)
        if not rows:
            raise UnknownChat(chat_id)
        return Count(*rows[0])

    async def save_max_count(self, chat_id: int, count: int, asked_at: datetime) -> None:
        """Store what MAX said at `asked_at`, unless a later answer is there already."""
        sql = """UPDATE chats SET max_count = %s, synced_at = %s
                 WHERE id = %s AND (synced_at IS NULL OR synced_at <= %s)"""
        await self._query(sql, count, asked_at, chat_id, asked_at)

    async def chats_to_sync(self, synced_before: datetime) -> list[int]:
        """Chats with a MAX id that were not synced since then, longest ago first."""
        sql = """SELECT id FROM chats WHERE max_id IS NOT NULL AND (synced_at IS NULL OR synced_at < %s)
                 ORDER BY synced_at NULLS FIRST, id"""
        rows, _ = await self._query(sql, synced_before)
        return [row[0] for row in rows]

    async def announce(self, chat_id: int) -> None:
        """Tell the other replicas that a count changed."""
        await self._query("SELECT pg_notify(%s, %s)", NOTIFY_CHANNEL, str(chat_id))

    async def listen(self, changed: Callable[[int], Awaitable[None]]) -> None:
        """Hear other replicas' announcements until cancelled; a lost connection is opened again."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                async with asyncio.timeout(OPERATION_TIMEOUT):
                    conn = await self._connect()
                try:
                    await conn.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    async for notice in conn.notifies():
                        await changed(int(notice.payload))
                finally:
                    await conn.close()
            await asyncio.sleep(1)

    async def close(self) -> None:
        """Close every idle connection."""
        for conn in (*self._idle, self._ping_connection):
            if conn is not None:
                await conn.close()
