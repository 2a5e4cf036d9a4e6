"""The HTTP API."""

import json
from datetime import UTC, datetime
from typing import Any, TypeGuard

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chat.cache import Cache
from chat.config import Settings
from chat.health import Health
from chat.metrics import Metrics
from chat.pending import Pending
from chat.store import Store, StoreDown, UnknownChat
from chat.sync import MaxApiError, MaxApiTimeout, Sync

_BIGGEST_ID = 2**63 - 1
_BIGGEST_BODY = 64 * 1024  # bytes


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= _BIGGEST_ID


def _path_id(request: Request, name: str) -> int:
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) < 20 and _is_id(int(text))):
        raise HTTPException(400, f"{name} must be a whole number from 1 to {_BIGGEST_ID}")
    return int(text)


async def _body(request: Request) -> dict[str, Any]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _BIGGEST_BODY:
            raise HTTPException(413, "the body is too big")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body must be JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


class Api:
    """One method for each endpoint."""

    def __init__(  # noqa: PLR0913  # the parts of the service, put together in one place
        self,
        settings: Settings,
        store: Store,
        cache: Cache,
        sync: Sync,
        health: Health,
        metrics: Metrics,
        pending: Pending | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._cache = cache
        self._sync = sync
        self._health = health
        self._metrics = metrics
        self._pending = pending  # only with BUG=cache-as-truth

    async def healthz(self, _: Request) -> Response:
        """200 ok or degraded, 503 down."""
        health = await self._health.check()
        return JSONResponse(health, 503 if health["status"] == "down" else 200)

    async def metrics(self, _: Request) -> Response:
        """All counters."""
        return JSONResponse(self._metrics.as_dict())

    async def create(self, request: Request) -> Response:
        """`{"id", "max_id"?}`: 201, or 409 when one of them is taken."""
        body = await _body(request)
        chat_id, max_id = body.get("id"), body.get("max_id")
        if not _is_id(chat_id) or not (max_id is None or _is_id(max_id)):
            raise HTTPException(400, "`id` and `max_id` must be positive whole numbers")
        if not await self._store.add_chat(chat_id, max_id):
            raise HTTPException(409, "a chat with this id or MAX id exists")
        return JSONResponse({"id": chat_id, "max_id": max_id}, 201)

    async def join(self, request: Request) -> Response:
        """`{"user_id"}`: 201 when new, 200 when already there. Either way it is committed."""
        chat_id = _path_id(request, "chat_id")
        user_id = (await _body(request)).get("user_id")
        if not _is_id(user_id):
            raise HTTPException(400, "`user_id` must be a positive whole number")
        joined = await (self._pending or self._store).join(chat_id, user_id)
        if joined:
            self._metrics.joins += 1
            await self._cache.invalidate(chat_id)
        return JSONResponse(
            {"chat_id": chat_id, "user_id": user_id, "joined": joined}, 201 if joined else 200
        )

    async def leave(self, request: Request) -> Response:
        """204, or 404 when not there."""
        chat_id, user_id = _path_id(request, "chat_id"), _path_id(request, "user_id")
        if self._pending:
            await self._pending.leave(chat_id, user_id)
        if not await self._store.leave(chat_id, user_id):
            raise HTTPException(404, "no such participant")
        self._metrics.leaves += 1
        await self._cache.invalidate(chat_id)
        return Response(status_code=204)

    async def participants(self, request: Request) -> Response:
        """Everyone who joined here, from Postgres."""
        chat_id = _path_id(request, "chat_id")
        found = {
            member.user_id: {"user_id": member.user_id, "joined_at": member.joined_at.isoformat()}
            for member in await self._store.participants(chat_id)
        }
        for user_id in await self._pending.members(chat_id) if self._pending else ():
            found.setdefault(
                user_id, {"user_id": user_id, "joined_at": datetime.now(UTC).isoformat()}
            )
        return JSONResponse(
            {"chat_id": chat_id, "count": len(found), "participants": list(found.values())}
        )

    async def count(self, request: Request) -> Response:
        """The count, from the cache when possible; one that is too old is served and updated behind."""
        chat_id = _path_id(request, "chat_id")
        threshold = self._settings.participants_stale_threshold
        now = datetime.now(UTC).timestamp()
        lookup = await self._cache.get(chat_id)
        if lookup.entry is not None:
            if now - lookup.entry.updated_at > threshold:
                self._sync.update_lazily(chat_id)
            return _count(chat_id, lookup.entry.count, "cache", lookup.entry.updated_at)
        count = await self._sync.read(chat_id, lookup.generation)
        if count.max_id is None:
            return _count(chat_id, count.count, "database", now)
        synced_at = count.synced_at.timestamp() if count.synced_at else None
        if synced_at is None or now - synced_at > threshold:
            self._sync.update_lazily(chat_id)
        return _count(chat_id, count.count, "database", synced_at)

    async def refresh(self, request: Request) -> Response:
        """Ask MAX now: 200 with the new count, 502 or 504 when MAX is broken or slow."""
        chat_id = _path_id(request, "chat_id")
        count = await self._sync.update(chat_id)
        return _count(chat_id, count.count, "database", datetime.now(UTC).timestamp())

    def application(self) -> Starlette:
        """The ASGI application."""
        chat = "/chats/{chat_id}/participants"
        return Starlette(
            routes=[
                Route("/healthz", self.healthz),
                Route("/metrics", self.metrics),
                Route("/chats", self.create, methods=["POST"]),
                Route(chat, self.participants, methods=["GET"]),
                Route(chat, self.join, methods=["POST"]),
                Route(f"{chat}/count", self.count),
                Route(f"{chat}/refresh", self.refresh, methods=["POST"]),
                Route(chat + "/{user_id}", self.leave, methods=["DELETE"]),
            ],
            exception_handlers={
                HTTPException: _refused,
                UnknownChat: _answer(404, "unknown chat"),
                StoreDown: _answer(503, "the database is not available"),
                MaxApiTimeout: _answer(504, "MAX did not answer in time"),
                MaxApiError: _answer(502, "MAX is not available"),
                Exception: _answer(500, "internal error"),
            },
        )


def _count(chat_id: int, count: int, source: str, updated_at: float | None) -> Response:
    moment = None if updated_at is None else datetime.fromtimestamp(updated_at, UTC).isoformat()
    return JSONResponse(
        {"chat_id": chat_id, "count": count, "source": source, "updated_at": moment}
    )


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _answer(status: int, message: str) -> Any:
    def handler(_: Request, __: Exception) -> Response:
        return JSONResponse({"error": message}, status)

    return handler
