"""A Toxiproxy server without a data plane: the API that chaoskit uses, as 2.12.0 answers it.

The contract tests run the same cases on this one and on the real server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web

_ATTRIBUTES = {
    "latency": ("latency", "jitter"),
    "timeout": ("timeout",),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "reset_peer": ("timeout",),
    "limit_data": ("bytes",),
    "slicer": ("average_size", "size_variation", "delay"),
}
Body = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Blown(Exception):
    """The world stopped answering in the middle of a change."""


@dataclass(slots=True)
class Fuse:
    """Counts changes of the world and breaks the n-th: before it happens, or just after it did."""

    blows_at: int = 0  # 0: never
    late: bool = False
    changes: int = 0

    def change(self, apply: Callable[[], None]) -> None:
        self.changes += 1
        blows = self.changes == self.blows_at
        if blows and not self.late:
            raise Blown
        apply()
        if blows:
            raise Blown


class FakeToxiproxy:
    """The server; `proxies` is its state, `wedged` the names of proxies that hang."""

    patience: float | None = None  # seconds until a call that hangs is given up with a page

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.proxies: dict[str, Body] = {}
        self.wedged: set[str] = set()
        self.calls: list[str] = []
        self._fuse = fuse or Fuse()
        self._hang = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Serve on a free port of 127.0.0.1 and return it."""
        app = web.Application(middlewares=[self._answer])
        app.router.add_get("/version", self._version)
        app.router.add_route("*", "/proxies", self._all)
        app.router.add_route("*", "/proxies/{proxy}", self._one)
        app.router.add_route("*", "/proxies/{proxy}/toxics", self._toxics)
        app.router.add_route("*", "/proxies/{proxy}/toxics/{toxic}", self._toxic)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        self._hang.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        try:
            return await handler(request)
        except Blown:
            return _error(500, "blown")

    async def _hung(self) -> None:
        try:
            async with asyncio.timeout(self.patience):
                await self._hang.wait()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(text="<html>timeout</html>") from None

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "2.12.0"})

    async def _all(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            if self.wedged:
                await self._hung()
            return web.json_response(self.proxies)
        body = await request.json()
        for required in ("name", "upstream"):
            if not body.get(required):
                return _error(400, f"missing required field: {required}")
        if body["name"] in self.proxies:
            return _error(409, "proxy already exists")
        listen = str(body.get("listen", "")).replace("0.0.0.0:", "[::]:")
        if any(p["listen"] == listen and p["enabled"] for p in self.proxies.values()):
            return _error(500, f"listen tcp {listen}: bind: address already in use")
        made = {
            "name": body["name"],
            "listen": listen,
            "upstream": body["upstream"],
            "enabled": body.get("enabled", True),
            "Logger": {},
            "toxics": [],
        }
        self._fuse.change(lambda: self.proxies.update({body["name"]: made}))
        return web.json_response(made, status=201)

    async def _one(self, request: web.Request) -> web.Response:
        name = request.match_info["proxy"]
        if name not in self.proxies:
            return _error(404, "proxy not found")
        proxy = self.proxies[name]
        if request.method == "DELETE":

            def delete() -> None:
                del self.proxies[name]
                self.wedged.discard(name)

            self._fuse.change(delete)
            return web.Response(status=204)
        if request.method in ("PATCH", "POST"):
            changes = await request.json()
            self._fuse.change(lambda: proxy.update(changes))
        if name in self.wedged:
            await self._hung()
        return web.json_response(proxy)

    async def _toxics(self, request: web.Request) -> web.Response:
        name = request.match_info["proxy"]
        if name not in self.proxies:
            return _error(404, "proxy not found")
        if name in self.wedged:
            await self._hung()
        toxics = self.proxies[name]["toxics"]
        if request.method == "GET":
            return web.json_response(toxics)
        body = await request.json()
        if body.get("type") not in _ATTRIBUTES:
            return _error(400, "invalid toxic type")
        if body.get("stream", "downstream") not in ("upstream", "downstream"):
            return _error(400, "stream was invalid, can be either upstream or downstream")
        if any(toxic["name"] == body["name"] for toxic in toxics):
            return _error(409, "toxic already exists")
        given = body.get("attributes", {})
        if any(not isinstance(value, int) for value in given.values()):
            return _error(400, "bad request body: json: cannot unmarshal")
        made = {
            "attributes": {key: given.get(key, 0) for key in _ATTRIBUTES[body["type"]]},
            "name": body["name"],
            "type": body["type"],
            "stream": body.get("stream", "downstream"),
            "toxicity": body.get("toxicity", 1),
        }
        self._fuse.change(lambda: toxics.append(made))
        return web.json_response(made)

    async def _toxic(self, request: web.Request) -> web.Response:
        name, toxic = request.match_info["proxy"], request.match_info["toxic"]
        if name not in self.proxies:
            return _error(404, "proxy not found")
        if name in self.wedged:
            await self._hung()
        toxics = self.proxies[name]["toxics"]
        found = next((one for one in toxics if one["name"] == toxic), None)
        if found is None:
            return _error(404, "toxic not found")
        if request.method == "DELETE":
            self._fuse.change(lambda: toxics.remove(found))
            return web.Response(status=204)
        return web.json_response(found)


def _error(status: int, message: str) -> web.Response:
    text = json.dumps({"error": message, "status": status})
    return web.Response(status=status, text=text, content_type="text/plain")
