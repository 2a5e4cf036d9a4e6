"""Operations over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import (
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import HttpUrl, Target, Written
from chaoskit.numeric import NoNumber, read_json
from chaoskit.records import Json, Outcome
from chaoskit.stack.routes import Routes
from chaoskit.wire import load
from chaoskit.wire.error_text import error_words
from chaoskit.wire.http import (
    MOST_UNUSED,
    headers_for,
    larger_than,
    read_body,
    routed,
    single_connection,
    unpacked,
)
from chaoskit.wire.paths import JsonPath, ListPath, NoMatch, many, one
from chaoskit.workloads.operations._base import (
    TRACE,
    OperationModel,
    Refused,
    Reply,
    read_one_way,
)
from chaoskit.workloads.operations._template import (
    Template,
    TemplateJson,
    TemplateText,
    filled_path,
    json_filler,
    names_in,
    refuse_host_slots,
)

if TYPE_CHECKING:
    import aiohttp

_TRACE_PARENT = "traceparent"  # https://www.w3.org/TR/trace-context/
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST_READ = 16 * 1024**2  # bytes of an answer that is looked at: it may list everything written
Status = Annotated[int, Field(strict=True, ge=100, le=599)]


@dataclass(frozen=True, slots=True)
class Request(Written):
    """A method and a URL whose path is a template: `POST http://chat:8082/chats/{key}`."""

    method: str
    url: HttpUrl
    path: Template

    json_example: ClassVar[str] = "GET http://chat:8082/"
    json_pattern: ClassVar[str] = rf"^({'|'.join(_METHODS)}) https?://"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raise `ValueError` without a method, or with a template outside of the path."""
        if isinstance(value, cls):
            return value
        match = re.fullmatch(r"([A-Za-z]+) +(\S+)", value) if isinstance(value, str) else None
        if match is None or match[1] not in _METHODS:
            raise ValueError("expected a method and a URL such as `GET http://chat:8082/`")
        refuse_host_slots(match[2])
        url = HttpUrl.parse(match[2])
        return cls(match[1], url, Template.parse(url.path or "/"))

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


class HttpOperation(OperationModel):
    """One HTTP request.

    Without `ok`, every 2xx is `ok`. 4xx is `fail`; 5xx, a redirect, a 2xx that is not in `ok`, a
    reset and a closed connection are `info`. `fail` and `info` list statuses to see differently.
    `values` is the JSONPath of the list a read returns, `value` that of a single one; `columns`
    names the fields to take of each object in the list. A status in `none` is `ok` and says that
    there is nothing. Of an answer that holds a value, at most 16 MiB are read, of others 1 MiB.
    """

    model_config = ConfigDict(populate_by_name=False)

    http: Request
    json_: TemplateJson = Field(default=None, alias="json")
    headers: dict[str, TemplateText] = Field(default_factory=dict)
    ok: list[Status] | None = None
    fail: list[Status] = Field(default_factory=list)
    info: list[Status] = Field(default_factory=list)
    none: list[Status] = Field(default_factory=list)
    values: ListPath | None = None
    value: JsonPath | None = None
    columns: list[str] | None = Field(default=None, min_length=1)
    refused: Refused

    @model_validator(mode="after")
    def _is_clear(self) -> HttpOperation:
        listed = [*(self.ok or []), *self.fail, *self.info, *self.none]
        twice = sorted({status for status in listed if listed.count(status) > 1})
        if twice:
            raise ValueError(
                f"status {twice[0]} is listed twice in `ok`, `fail`, `info` and `none`"
            )
        read_one_way(values=self.values, value=self.value, refused=self.refused)
        if self.columns is not None and self.values is None:
            raise ValueError("`columns` takes fields of the objects in a list: it needs `values`")
        return self

    @property
    def target(self) -> Target:
        return self.http.url.target

    def asks(self) -> str:
        return str(self.http)

    @property
    def placeholders(self) -> frozenset[str]:
        headers: list[JsonValue] = [*self.headers.values()]
        return self.http.path.names | names_in(self.json_) | names_in(headers)

    @property
    def traced(self) -> bool:
        return all(name.lower() != _TRACE_PARENT for name in self.headers)

    def outcome(self, status: int) -> Outcome:
        """Return what an answer with this status says about the operation."""
        if status in self.fail:
            return "fail"
        if status in self.info:
            return "info"
        if status in self.none:
            return "ok"
        if status in (self.ok if self.ok is not None else range(200, 300)):
            return "ok"
        return "fail" if 400 <= status < 500 else "info"

    def load(self) -> None:
        load("aiohttp", "jsonpath")

    def connect(self, routes: Routes) -> HttpOperationSession:
        return HttpOperationSession(self, routes)


class HttpOperationSession:
    """One kept connection. Nothing is sent twice: a hidden retry would falsify the history."""

    def __init__(self, operation: HttpOperation, routes: Routes) -> None:
        self._operation = operation
        self._routes = routes
        url = operation.http.url
        self._headers = headers_for(url, {})
        self._body = None if operation.json_ is None else json_filler(operation.json_)
        if self._body is not None:
            self._headers["Content-Type"] = "application/json"
        self._templates = [(name, Template.parse(text)) for name, text in operation.headers.items()]
        self._client: aiohttp.ClientSession | None = None

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        import aiohttp
        from yarl import URL

        request = self._operation.http
        try:
            origin = routed(request.url, self._routes)
        except EnvironmentFailure as error:
            return Reply("fail", error=error.message)
        path = filled_path(request.path, fields)
        headers = self._headers | {name: text.text(fields) for name, text in self._templates}
        if TRACE in fields:  # sampled, so that it can be found
            headers[_TRACE_PARENT] = f"00-{fields[TRACE]}-{str(fields[TRACE])[:16]}-01"
        body = None
        if self._body is not None:
            body = json.dumps(self._body(fields), separators=(",", ":")).encode()
        if self._client is None:
            self._client = single_connection()
        try:
            async with self._client.request(
                request.method,
                URL(origin + path, encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
                server_hostname=request.url.service if request.url.scheme == "https" else None,
            ) as response:
                limit = MOST_READ if self._looks_inside else MOST_UNUSED
                answer, whole = await read_body(response.content.iter_any(), limit)
                if not whole:
                    response.close()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Reply("fail", error=error_words(error))  # nothing was sent
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Reply("info", error=error_words(error))
        outcome = self._operation.outcome(response.status)
        if outcome != "ok":
            return Reply(outcome, error=f"status {response.status}")
        if response.status in self._operation.none:
            return Reply("ok", value=None if self._operation.values is None else [])
        if not self._looks_inside:
            return Reply("ok")
        if not whole:
            return Reply("info", error=f"the answer: {larger_than(MOST_READ)}")
        try:
            text = unpacked(answer, response.headers.get("Content-Encoding", ""), MOST_READ)
        except ValueError as error:
            return Reply("info", error=f"the answer: {error}")
        return self._read(text)

    @property
    def _looks_inside(self) -> bool:
        return self._operation.values is not None or self._operation.value is not None

    def _read(self, answer: bytes) -> Reply:
        """Pick the value out of an `ok` answer; one that cannot be read leaves doubt."""
        operation = self._operation
        try:
            document: Json = read_json(answer)
            if operation.values is not None:
                return Reply("ok", value=_rows(many(operation.values, document), operation.columns))
            return Reply("ok", value=one(operation.value or "$", document))
        except NoMatch as missing:
            return Reply("info", error=str(missing))
        except NoNumber as error:
            return Reply("info", error=f"the answer: {error.msg[:200]}")
        except ValueError:
            return Reply("info", error="the answer is not JSON")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _rows(items: list[Json], columns: list[str] | None) -> list[Json]:
    """Return the named fields of each object, as a store returns rows."""
    if columns is None:
        return items
    rows: list[Json] = []
    for item in items:
        for column in columns:
            if not isinstance(item, dict) or column not in item:
                raise NoMatch(f"an item of the list has no field `{column}`")
        rows.append([item[column] for column in columns])  # type: ignore[index,call-overload]  # checked above
    return rows
