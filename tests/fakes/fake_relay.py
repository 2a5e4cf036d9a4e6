"""The real relay's rules and control port, in this process; a fuse breaks its changes."""

from __future__ import annotations

import asyncio
from typing import Any

from chaoskit.stack.relay_program.relay import Relay
from tests.fakes.fake_toxiproxy import Blown, Fuse


class FakeRelay(Relay):
    """Relays nothing: what it is told is what matters."""

    def __init__(self, fuse: Fuse, ports: list[int]) -> None:
        super().__init__(dict.fromkeys(ports, ("nowhere", 1)))
        self._fuse = fuse
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Serve on a free port of 127.0.0.1 and return it."""
        self._server = await asyncio.start_server(self.controlled, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def control(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["do"] == "look" or (told["do"] == "remove" and told["id"] not in self.rules):
            return super().control(told)

        def apply() -> None:
            super(FakeRelay, self).control(told)

        try:
            self._fuse.change(apply)
        except Blown:
            raise ConnectionError("no answer") from None
        return {}
