"""Subscriptions: feeds of messages over a WebSocket or Redis pub/sub."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, JsonValue, Tag

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Duration, RedisUrl, Target
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.wire import load
from chaoskit.wire.paths import JsonPath
from chaoskit.wire.redis import RedisLink, RedisRefused, redis_error_text
from chaoskit.wire.websocket import WebSocketEnded, WebSocketLink
from chaoskit.workloads.operations._base import FeedEnded, OperationModel, Reply
from chaoskit.workloads.operations._template import (
    Template,
    TemplateJson,
    TemplateText,
    filled_path,
    json_filler,
    names_in,
)
from chaoskit.workloads.operations.websocket import Address, connecting, matches, parsed, text_of


def _lasts(heartbeat: Duration) -> Duration:
    if heartbeat <= 0:
        raise ValueError("`heartbeat` must be longer than zero")
    return heartbeat


Heartbeat = Annotated[
    Duration,
    AfterValidator(_lasts),
    Field(description="After this much silence a ping has to be answered in half of it."),
]
_MESSAGES = {"message": 2, "smessage": 2, "pmessage": 3}  # where Redis puts the text


class WebSocketSubscription(OperationModel):
    """A WebSocket that is listened to, after the messages of `send`.

    It counts as subscribed when connected, or when a message with every value of `ready` came.
    `value` is the JSONPath of an event's number, `key` that of its channel; a message without them
    is no event.
    """

    websocket: Address
    send: list[TemplateJson] = Field(default_factory=list)
    ready: dict[JsonPath, JsonValue] = Field(default_factory=dict)
    value: JsonPath = "$"
    key: JsonPath | None = None
    heartbeat: Heartbeat = Duration(2)

    @property
    def target(self) -> Target:
        return self.websocket.url.target

    @property
    def placeholders(self) -> frozenset[str]:
        return self.websocket.path.names | names_in(self.send)

    def load(self) -> None:
        load("aiohttp", "jsonpath")

    def connect(self, routes: Routes) -> WebSocketFeed:
        return WebSocketFeed(self, routes)


class WebSocketFeed:
    """What one connection brings."""

    def __init__(self, subscription: WebSocketSubscription, routes: Routes) -> None:
        self._subscription = subscription
        self._link = WebSocketLink(subscription.websocket.url, routes, subscription.heartbeat)

    @property
    def over(self) -> bool:
        return not self._link.open

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        subscription = self._subscription
        refused = await connecting(self._link, filled_path(subscription.websocket.path, fields))
        if refused is not None:
            return refused
        try:
            for message in subscription.send:
                await self._link.send(text_of(json_filler(message)(fields)))
            while subscription.ready:
                if matches(subscription.ready, parsed(await self._link.receive())):
                    break
        except WebSocketEnded as ended:
            return Reply("fail", error=str(ended))
        return Reply("ok")

    async def next(self) -> Json:
        try:
            return parsed(await self._link.receive())
        except WebSocketEnded as ended:
            raise FeedEnded(str(ended)) from None

    async def close(self) -> None:
        await self._link.close()


def _subscribes(command: str) -> str:
    words = shlex.split(command)
    if len(words) < 2 or words[0].upper() not in ("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
        raise ValueError("expected a subscription such as `SUBSCRIBE room:{key}`")
    return command


class RedisSubscription(OperationModel):
    """A Redis subscription. `value` is the JSONPath of an event's number in a message, `key` that
    of its channel; a message without them is no event."""

    redis: Annotated[TemplateText, AfterValidator(_subscribes)]
    store: RedisUrl
    value: JsonPath = "$"
    key: JsonPath | None = None
    heartbeat: Heartbeat = Duration(2)

    @property
    def target(self) -> Target:
        return self.store.target

    @property
    def placeholders(self) -> frozenset[str]:
        return Template.parse(self.redis).names

    def load(self) -> None:
        load("redis.asyncio", "redis.backoff", "jsonpath")

    def connect(self, routes: Routes) -> RedisFeed:
        return RedisFeed(self, routes)


class RedisFeed:
    """What one connection brings. It is read by a task, so that its end is noticed at once."""

    def __init__(self, subscription: RedisSubscription, routes: Routes) -> None:
        self._words = [Template.parse(word) for word in shlex.split(subscription.redis)]
        self._link = RedisLink(subscription.store, routes)
        self._heartbeat = float(subscription.heartbeat)
        self._heard: asyncio.Queue[Json | FeedEnded] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        return self._reader is None or self._reader.done()

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        from redis.exceptions import RedisError

        words = [word.text(fields) for word in self._words]
        try:
            await self._link.connect()
            await self._link.send(words)
            for _ in words[1:]:
                await self._link.receive()  # one confirmation for each channel
        except EnvironmentFailure as error:
            return Reply("fail", error=error.message)
        except (RedisRefused, RedisError, OSError) as error:
            return Reply("fail", error=redis_error_text(error))
        self._reader = asyncio.create_task(self._read())
        return Reply("ok")

    async def next(self) -> Json:
        heard = await self._heard.get()
        if isinstance(heard, FeedEnded):
            raise heard
        return heard

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        await self._link.close()
        if reader is not None:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _read(self) -> None:
        from redis.exceptions import RedisError

        ended = "connection closed"
        try:
            while True:
                # Cancelling redis-py in the middle of a reply would cost the connection.
                reply = asyncio.create_task(self._link.receive())
                try:
                    await self._patiently(reply)
                    self._take(reply.result())
                finally:
                    reply.cancel()
        except FeedEnded as silent:
            ended = str(silent)
        except (RedisRefused, RedisError, OSError) as error:
            ended = redis_error_text(error)
        finally:
            self._heard.put_nowait(FeedEnded(ended))

    async def _patiently(self, reply: asyncio.Task[Json]) -> None:
        """Wait for a reply, after a while with a ping. Raises `FeedEnded` when nothing comes."""
        done, _ = await asyncio.wait({reply}, timeout=self._heartbeat)
        if done:
            return
        await self._link.send(["PING"])
        done, _ = await asyncio.wait({reply}, timeout=self._heartbeat / 2)
        if not done:
            raise FeedEnded("no answer to a ping")

    def _take(self, reply: Any) -> None:
        place = _MESSAGES.get(reply[0]) if isinstance(reply, list) and reply else None
        if place is not None and len(reply) > place:
            self._heard.put_nowait(parsed(reply[place]))


def _via(value: Any) -> str | None:
    for name in ("websocket", "redis"):
        if (name in value) if isinstance(value, dict) else hasattr(value, name):
            return name
    return None


Subscription: TypeAlias = Annotated[
    Annotated[WebSocketSubscription, Tag("websocket")] | Annotated[RedisSubscription, Tag("redis")],
    Discriminator(
        _via,
        custom_error_type="operation_missing",
        custom_error_message="a subscription is one of `websocket:` or `redis:`",
    ),
]
