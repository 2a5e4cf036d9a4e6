"""Operations over a WebSocket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target, Written
from chaoskit.numeric import read_json
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.wire import load
from chaoskit.wire.error_text import error_words
from chaoskit.wire.paths import JsonPath, ListPath, NoMatch, many, one
from chaoskit.wire.websocket import (
    WebSocketEnded,
    WebSocketLink,
    WebSocketRefused,
    WebSocketUrl,
)
from chaoskit.workloads.operations._base import OperationModel, Refused, Reply, read_one_way
from chaoskit.workloads.operations._template import (
    Template,
    TemplateJson,
    filled_path,
    json_filler,
    names_in,
    refuse_host_slots,
)


@dataclass(frozen=True, slots=True)
class Address(Written):
    """A WebSocket URL whose path is a template: `ws://world:8080/rooms/{key}`."""

    url: WebSocketUrl
    path: Template

    json_example: ClassVar[str] = "ws://world:8080/live"
    json_pattern: ClassVar[str] = "^wss?://"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raise `ValueError` for another scheme, or a template outside of the path."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            refuse_host_slots(value)
        url = WebSocketUrl.parse(value)
        return cls(url, Template.parse(url.path or "/"))

    def __str__(self) -> str:
        return str(self.url)


class WebSocketOperation(OperationModel):
    """One message and its answer, over a kept WebSocket.

    The answer is the next message, or the next that has every value of `answer`. A message with
    every value of `fail` says that it did not happen. A handshake that is refused is `fail`; a
    connection that ends before the answer is `info`.
    `values` is the JSONPath of the list a read returns, `value` that of a single one.
    """

    websocket: Address
    send: TemplateJson
    answer: dict[JsonPath, TemplateJson] = Field(default_factory=dict)
    fail: dict[JsonPath, JsonValue] = Field(default_factory=dict)
    values: ListPath | None = None
    value: JsonPath | None = None
    refused: Refused

    @model_validator(mode="after")
    def _is_clear(self) -> WebSocketOperation:
        read_one_way(values=self.values, value=self.value, refused=self.refused)
        return self

    @property
    def target(self) -> Target:
        return self.websocket.url.target

    @property
    def placeholders(self) -> frozenset[str]:
        answer: list[JsonValue] = [*self.answer.values()]
        return self.websocket.path.names | names_in(self.send) | names_in(answer)

    def load(self) -> None:
        load("aiohttp", "jsonpath")

    def connect(self, routes: Routes) -> WebSocketOperationSession:
        return WebSocketOperationSession(self, routes)


class WebSocketOperationSession:
    """One kept connection; a path with slots has a connection for each, one at a time."""

    def __init__(self, operation: WebSocketOperation, routes: Routes) -> None:
        self._operation = operation
        self._message = json_filler(operation.send)
        self._answer = [(path, json_filler(value)) for path, value in operation.answer.items()]
        self._link = WebSocketLink(operation.websocket.url, routes)
        self._path = ""

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        refused = await self._connected(filled_path(self._operation.websocket.path, fields))
        if refused is not None:
            return refused
        self._link.forget()  # what came before the question is no answer to it
        wanted = {path: filled(fields) for path, filled in self._answer}
        try:
            await self._link.send(text_of(self._message(fields)))
            while True:
                document = parsed(await self._link.receive())
                if self._operation.fail and matches(self._operation.fail, document):
                    return Reply("fail", error="the answer says that it failed")
                if matches(wanted, document):
                    return self._read(document)
        except WebSocketEnded as ended:
            return Reply("info", error=str(ended))

    async def _connected(self, path: str) -> Reply | None:
        """Return None when there is a connection to this path, else how connecting failed."""
        if path != self._path:
            await self._link.close()
        self._path = path
        return await connecting(self._link, path)

    def _read(self, document: Json) -> Reply:
        operation = self._operation
        try:
            if operation.values is not None:
                return Reply("ok", value=many(operation.values, document))
            if operation.value is not None:
                return Reply("ok", value=one(operation.value, document))
        except NoMatch as missing:
            return Reply("info", error=str(missing))
        return Reply("ok")

    async def close(self) -> None:
        await self._link.close()


async def connecting(link: WebSocketLink, path: str) -> Reply | None:
    """Connect; return None, or the `fail` of what could not be sent."""
    import aiohttp

    try:
        await link.connect(path)
    except EnvironmentFailure as error:
        return Reply("fail", error=error.message)
    except WebSocketRefused as refused:
        return Reply("fail", error=str(refused))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Reply("fail", error=error_words(error))
    return None


def matches(wanted: Mapping[str, Json], document: Json) -> bool:
    """Return whether the document has the wanted value at every path."""
    for path, value in wanted.items():
        try:
            if one(path, document) != value:
                return False
        except NoMatch:
            return False
    return True


def parsed(message: str) -> Json:
    """Return a message as JSON; what is not JSON is text."""
    try:
        document: Json = read_json(message)
    except ValueError:
        return message
    return document


def text_of(message: Json) -> str:
    """Return a message as it is sent: text as it is, the rest as JSON."""
    return message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))
