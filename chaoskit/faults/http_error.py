"""`http_error`: requests answered with an error, without asking the upstream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines.http import LARGEST_BODY, HeaderName, HeaderValue, HttpFault
from chaoskit.records import Json


@fault("http_error")
class HttpError(HttpFault):
    """Answer HTTP requests of one edge with an error; the upstream never sees them.

    `match` (`method`, `path`, `header`; `*` stands for anything) says which requests, `fraction`,
    `first` or `every` how many of these. A `body` that is a mapping or a list is sent as JSON.
    """

    example = (
        "{ at: 2s, for: 5s, fault: http_error, edge: web -> api, status: 503, fraction: 30%,"
        " match: { path: /orders* }, headers: { Retry-After: '1' } }"
    )

    status: Annotated[int, Field(ge=300, le=599)]
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    body: str | dict[str, Any] | list[Any] = ""

    @field_validator("headers")
    @classmethod
    def _not_ours(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in ("content-length", "transfer-encoding", "connection"):
                raise ValueError(f"`{name}` is made to fit the answer; see `http_malformed`")
        return headers

    @field_validator("body")
    @classmethod
    def _bounded(cls, body: Any) -> Any:
        if len(json.dumps(body)) > LARGEST_BODY:
            raise ValueError("`body` is larger than 1 MiB")
        return body

    @model_validator(mode="after")
    def _has_a_body(self) -> HttpError:
        if self.body and self.status == HTTPStatus.NOT_MODIFIED:
            raise ValueError("an answer with status 304 has no body")
        return self

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.hit} answered with {self.status}",
            "remove the rule from the relay; connections stay open",
            "a server that dies in the middle of its work: here it was never asked",
        )

    def act(self) -> Mapping[str, Json]:
        named = {name.lower() for name in self.headers}
        plain = isinstance(self.body, str)
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        kind: dict[str, str] = {}
        if body and "content-type" not in named:
            kind = {"Content-Type": "text/plain" if plain else "application/json"}
        headers: dict[str, Json] = {**kind, **self.headers}
        return {"act": "answer", "status": self.status, "headers": headers, "body": body}

    @property
    def done(self) -> str:
        return f"answered with {self.status}"
