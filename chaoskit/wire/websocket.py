"""One WebSocket connection that is listened to all the time, so its end is noticed at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from chaoskit.fields import Target, Url
from chaoskit.ports import HTTP, HTTPS
from chaoskit.stack.routes import Routes
from chaoskit.wire.error_text import CLOSED, RESET, error_words
from chaoskit.wire.http import headers_for, routed, single_connection

if TYPE_CHECKING:
    import aiohttp


class WebSocketUrl(Url):
    """`ws://world:8080/live`."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"ws": HTTP, "wss": HTTPS}

    @property
    def target(self) -> Target:
        """The port it shares with HTTP: a WebSocket begins as a request."""
        return Target(self.service, self.port, "http")


class WebSocketRefused(Exception):
    """The server answered, and it was no WebSocket."""


class WebSocketEnded(Exception):
    """The connection is gone; the text says how."""


class WebSocketLink:
    """One connection, opened by `connect`; pings are answered, text and bytes are both text.

    With a `heartbeat` (seconds) a ping is sent when it was quiet that long; a peer that does not
    answer within half of it is gone.
    """

    def __init__(self, url: WebSocketUrl, routes: Routes, heartbeat: float | None = None) -> None:
        self._url = url
        self._routes = routes
        self._heartbeat = heartbeat
        self._client: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()  # None: it ended
        self._end = CLOSED

    @property
    def open(self) -> bool:
        return self._reader is not None and not self._reader.done()

    @property
    def end(self) -> str:
        """How the connection ended, where it did."""
        return self._end

    async def connect(self, path: str) -> None:
        """Make sure there is a live connection; one found closed is opened again.

        Raises `WebSocketRefused`, `EnvironmentFailure`, and aiohttp's errors when nobody answers.
        """
        import aiohttp
        from yarl import URL

        if self.open:
            return
        await self.close()
        self._client = single_connection()
        self._heard = asyncio.Queue()
        try:
            self._socket = await self._client.ws_connect(
                URL(routed(self._url, self._routes) + path, encoded=True),
                headers=headers_for(self._url, {}),
                heartbeat=self._heartbeat,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.1),  # a half-dead peer does not answer
                server_hostname=self._url.service if self._url.scheme == "wss" else None,
                max_msg_size=16 * 1024 * 1024,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise WebSocketRefused(f"status {error.status} instead of a WebSocket") from None
        self._reader = asyncio.create_task(self._listen(self._socket, self._heard))

    async def send(self, text: str) -> None:
        """Send one message. Raises `WebSocketEnded` when the connection is gone."""
        if self._socket is None or not self.open:
            raise WebSocketEnded(self._end)
        try:
            await self._socket.send_str(text)
        except (OSError, RuntimeError) as error:  # aiohttp's are OSErrors; RuntimeError: closing
            raise WebSocketEnded(error_words(error)) from None

    async def receive(self) -> str:
        """Return the next message. Raises `WebSocketEnded`."""
        message = await self._heard.get()
        if message is None:
            self._heard.put_nowait(None)
            raise WebSocketEnded(self._end)
        return message

    def forget(self) -> None:
        """Drop the messages that nobody has asked for."""
        while not self._heard.empty():
            if self._heard.get_nowait() is None:
                self._heard.put_nowait(None)
                return

    async def close(self) -> None:
        client, self._client = self._client, None
        reader, self._reader = self._reader, None
        socket, self._socket = self._socket, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader})
        if socket is not None:  # say goodbye: a server may log the loss of a client as an error
            with suppress(OSError, RuntimeError):
                await socket.close()
        if client is not None:
            await client.close()

    async def _listen(
        self, socket: aiohttp.ClientWebSocketResponse, heard: asyncio.Queue[str | None]
    ) -> None:
        try:
            while True:
                message: Any = await socket.receive()
                if message.type.name == "TEXT":
                    heard.put_nowait(message.data)
                elif message.type.name == "BINARY":
                    heard.put_nowait(message.data.decode(errors="backslashreplace"))
                else:
                    self._end = _how_it_ended(socket, message)
                    return
        finally:
            heard.put_nowait(None)


def _how_it_ended(socket: aiohttp.ClientWebSocketResponse, message: Any) -> str:
    error = socket.exception()
    if error is not None:
        return error_words(error)
    if message.type.name == "CLOSE":
        return f"{CLOSED} with code {message.data}"
    return RESET if socket.close_code == 1006 else CLOSED
