"""The `tcp` probe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, Literal

from chaoskit.fields import Target, TcpUrl
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.stack.routes import Routes
from chaoskit.wire.error_text import CLOSED, error_words

# Behind a proxy an upstream that is down looks like "connected, then closed": wait for that.
EOF_WAIT = 0.02


@probe("tcp")
class TcpProbe(Probe):
    """Open a TCP connection and see that it is not closed again at once.

    Each observation opens a new connection and lasts at least 20 ms. With `connection: keep` one
    connection stays open, and the probe fails when it is closed; silence passes.
    """

    example: ClassVar[str] = "{ probe: tcp, url: tcp://rabbit:5672, every: 500ms }"

    url: TcpUrl
    connection: Literal["keep", "new"] = "new"

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    async def connect(self, routes: Routes) -> TcpSession:
        return TcpSession(self, routes)


class TcpSession(Session):
    """One connection, opened by the first observation."""

    def __init__(self, probe: TcpProbe, routes: Routes) -> None:
        self._target = probe.url.target
        self._routes = routes
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def observe(self) -> Observed:
        try:
            if self._reader is None:
                host, port = self._routes.address(self._target)
                self._reader, self._writer = await asyncio.open_connection(host, port)
            with suppress(TimeoutError):
                async with asyncio.timeout(EOF_WAIT):
                    if not await self._reader.read(65536):  # a greeting is fine
                        return Observed(False, CLOSED, broken=True)
        except OSError as error:
            return Observed(False, error_words(error), broken=True)
        return Observed(True)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
