"""One PostgreSQL connection in autocommit that can be closed in the middle of a query."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chaoskit.fields import PostgresUrl
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line
from chaoskit.wire.error_text import CLOSED, LONGEST, error_words

if TYPE_CHECKING:
    from psycopg import AsyncConnection


class PostgresLink:
    """One connection, opened by `connect`; no statement is prepared or repeated."""

    def __init__(self, url: PostgresUrl, routes: Routes) -> None:
        self._url = url
        self._routes = routes
        self._connection: AsyncConnection[tuple[Any, ...]] | None = None
        self.changed = 0  # rows that the last statement without a result changed
        self._busy = False
        self._closed = False

    async def connect(self) -> None:
        """Make sure there is a live connection; one found closed while idle is opened again."""
        import psycopg

        if self._connection is not None:
            if not _dirty(self._connection):
                return
            await self._connection.close()
            self._connection = None
        host, port = self._routes.address(self._url.target)
        user = self._url.user or "postgres"
        connection = await psycopg.AsyncConnection.connect(
            autocommit=True,
            prepare_threshold=None,
            host=host,
            port=port,
            user=user,
            password=self._url.password or "",
            dbname=self._url.database or user,
            application_name="chaoskit",
            gssencmode="disable",
            sslmode=self._url.option("sslmode") or "disable",  # libpq's default tries twice
        )
        if self._closed:  # closed while it was connecting
            await connection.close()
            raise ConnectionAbortedError("closed while connecting")
        self._connection = connection

    async def execute(
        self, query: str, fields: Mapping[str, Json] | None = None
    ) -> list[list[Json]] | None:
        """Run one statement; return its rows, or None for a statement without rows.

        `fields` are bound as parameters `%(name)s`. Raises psycopg's errors.
        """
        connection = self._connection
        if connection is None:
            raise ConnectionError("not connected")
        self._busy = True
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(query.encode(), fields)
                if cursor.description is None:
                    self.changed = max(0, cursor.rowcount)
                    return None
                return [[_plain(cell) for cell in row] for row in await cursor.fetchall()]
        finally:
            self._busy = False
            if self._closed or connection.closed:
                self._connection = None
                await connection.close()

    async def close(self) -> None:
        """Close at once. A query in flight ends with an error, because its socket is shut down:
        psycopg's own cancelling asks the server, which may take 10 s when it does not answer."""
        self._closed = True
        connection = self._connection
        if connection is None or connection.closed:
            return
        if not self._busy:
            self._connection = None
            await connection.close()
            return
        with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)


def _dirty(connection: AsyncConnection[Any]) -> bool:
    """Return whether an idle connection was closed, or holds a message nobody asked for."""
    if connection.closed:
        return True
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        try:
            duplicate.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def postgres_words(error: BaseException) -> str:
    """Return the server's own sentence where there is one, else the usual few words."""
    import psycopg

    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return one_line(error.diag.message_primary, LONGEST)
    words = error_words(error)
    if " failed: " in words:  # which address was tried is chaoskit's own affair
        words = words.rpartition(" failed: ")[2]
    # After a RST, libpq reports a failed read or a closed connection, as it happens to notice.
    return CLOSED if words.startswith("OperationalError: consuming input failed") else words


def _plain(cell: object) -> Json:
    plain: Json = str(cell)  # dates, UUIDs, addresses: as Python writes them
    match cell:
        case None | bool() | int() | float() | str():
            plain = cell
        case Decimal() if cell.is_finite():
            plain = int(cell) if cell == cell.to_integral_value() else float(cell)
        case bytes():
            plain = cell.decode(errors="backslashreplace")
        case list() | tuple():
            plain = [_plain(item) for item in cell]
        case dict():
            plain = {str(name): _plain(item) for name, item in cell.items()}
    return plain
