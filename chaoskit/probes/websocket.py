"""The `websocket` probe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.probes.tcp import EOF_WAIT
from chaoskit.stack.routes import Routes
from chaoskit.text import count, shown
from chaoskit.wire import load
from chaoskit.wire.error_text import error_words
from chaoskit.wire.websocket import WebSocketEnded, WebSocketLink, WebSocketRefused, WebSocketUrl

_SHOWN = 80  # characters of a message that was not meant


@probe("websocket")
class WebSocketProbe(Probe):
    """Open a WebSocket, say something if need be, and wait for a message.

    `send` is text that is sent as it is; then the next message is the answer, or the next that has
    the text of `contains`. With `contains` alone the server has to say it unasked. With neither the
    handshake is enough, unless the server closes within 20 ms. Each observation opens a new
    connection; with `connection: keep` one stays open, is pinged once it was silent for `timeout`,
    and the probe fails when it ends.
    """

    example: ClassVar[str] = (
        "{ probe: websocket, url: ws://chat:8082/live, every: 500ms, "
        """send: '{"type": "ping"}', contains: pong }"""
    )

    url: WebSocketUrl
    send: Annotated[str | None, Field(min_length=1)] = None
    contains: Annotated[str | None, Field(min_length=1)] = None
    connection: Literal["keep", "new"] = "new"

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        load("aiohttp")

    async def connect(self, routes: Routes) -> WebSocketSession:
        return WebSocketSession(self, routes)


class WebSocketSession(Session):
    """One connection, opened by the first observation."""

    def __init__(self, probe: WebSocketProbe, routes: Routes) -> None:
        self._probe = probe
        heartbeat = probe.timeout if probe.connection == "keep" else None
        self._link = WebSocketLink(probe.url, routes, heartbeat)
        self._used = False

    async def observe(self) -> Observed:
        import aiohttp

        try:
            if self._used and not self._link.open:
                raise WebSocketEnded(self._link.end)
            if not self._used:
                self.waiting_for = "end of the handshake"
                await self._link.connect(self._probe.url.path or "/")
                self._used = True
            else:
                self._link.forget()  # what came before is no answer, and nobody else reads it
            return await self._talk()
        except EnvironmentFailure as error:
            return Observed(False, error.message, broken=True)
        except (WebSocketRefused, WebSocketEnded) as error:
            return Observed(False, str(error), broken=True)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Observed(False, error_words(error), broken=True)

    async def _talk(self) -> Observed:
        wanted = self._probe.contains
        if self._probe.send is not None:
            await self._link.send(self._probe.send)
        elif wanted is None:  # who is let in and shown out at once was refused
            with suppress(TimeoutError):
                async with asyncio.timeout(EOF_WAIT):
                    await self._link.receive()
            return Observed(True)
        what = "message" if wanted is None else f"message with {shown(wanted)}"
        others = 0
        self.waiting_for = what
        while True:
            message = await self._link.receive()
            if wanted is None or wanted in message:
                return Observed(True)
            others += 1
            came = f"{count(others, 'other')} came, the last {shown(message[:_SHOWN])}"
            self.waiting_for = f"{what} ({came})"

    async def close(self) -> None:
        await self._link.close()
