"""One Redis connection that sends exactly what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from chaoskit.fields import RedisUrl
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line
from chaoskit.wire.error_text import LONGEST, error_words

if TYPE_CHECKING:
    from redis.asyncio import Connection


class RedisRefused(Exception):
    """Redis answered with an error: the command was not executed."""


class RedisLink:
    """One connection, opened by `connect`. RESP2, no retry, no `HELLO`, no `CLIENT SETINFO`."""

    def __init__(self, url: RedisUrl, routes: Routes) -> None:
        self._url = url
        self._routes = routes
        self._connection: Connection | None = None

    async def connect(self) -> None:
        """Make sure there is a live connection; one found closed while idle is opened again."""
        from redis.asyncio import Connection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        if self._connection is not None:
            if not await _dirty(self._connection):
                return
            await self.close()
        host, port = self._routes.address(self._url.target)
        connection = Connection(
            host=host,
            port=port,
            db=self._url.db,
            username=self._url.user,
            password=self._url.password,
            protocol=2,
            driver_info=None,
            decode_responses=True,
            encoding_errors="backslashreplace",
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,  # the caller owns the deadline
            socket_connect_timeout=None,
        )
        self._connection = connection
        try:
            await _call(connection.connect)
        except BaseException:
            self._connection = None
            await _drop(connection)
            raise

    async def exchange(self, arguments: Sequence[str]) -> Json:
        """Send one command and return its reply, text decoded.

        Raises `RedisRefused` when Redis answers with an error, and redis-py's own errors when
        there is no answer: then the connection is gone.
        """
        await self.send(arguments)
        return await self.receive()

    async def send(self, arguments: Sequence[str]) -> None:
        """Send one command; its reply is left to `receive`."""
        connection = self._live()
        async with self._dropped_on_error(connection):
            await _call(connection.send_command, *arguments)

    async def receive(self) -> Json:
        """Return the next reply, or the next message of a subscription. Raises as `exchange`."""
        connection = self._live()
        async with self._dropped_on_error(connection):
            reply: Json = await _call(connection.read_response)
        return reply

    def _live(self) -> Connection:
        if self._connection is None:
            raise ConnectionError("not connected")
        return self._connection

    @asynccontextmanager
    async def _dropped_on_error(self, connection: Connection) -> AsyncIterator[None]:
        from redis.exceptions import (
            AuthenticationError,
            AuthorizationError,
            BusyLoadingError,
            MaxConnectionsError,
            ResponseError,
        )

        answered = (
            AuthenticationError,
            AuthorizationError,
            BusyLoadingError,
            MaxConnectionsError,
            ResponseError,
        )
        try:
            yield
        except answered as error:
            raise RedisRefused(one_line(str(error), LONGEST)) from None
        except BaseException as error:
            self._connection = None
            await _drop(connection)
            if "max number of clients" in str(error):  # an answer that redis-py takes for a loss
                raise RedisRefused(one_line(str(error), LONGEST)) from None
            raise

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _drop(connection)


def redis_error_text(error: BaseException) -> str:
    return str(error) if isinstance(error, RedisRefused) else error_words(error)


async def _dirty(connection: Any) -> bool:
    """Return whether an idle connection was closed or sent something unasked."""
    if not connection.is_connected:
        return True
    try:
        return bool(await connection.can_read())
    except Exception:  # noqa: BLE001  # after any error this connection is not used again
        return True


async def _call(method: Any, *arguments: Any) -> Any:
    return await method(*arguments)  # redis-py's connection methods are not annotated


async def _drop(connection: Any) -> None:
    """Close the socket without waiting: a reader sees the end of the stream."""
    await connection.disconnect(nowait=True)
