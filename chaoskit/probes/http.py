"""The `http` probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from chaoskit.fields import HttpUrl, Model, Target
from chaoskit.numeric import NoNumber, read_json
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line, shown
from chaoskit.wire import load
from chaoskit.wire.error_text import LONGEST, error_words
from chaoskit.wire.http import headers_for, larger_than, pass_over, read_body, routed, unpacked
from chaoskit.wire.paths import JsonPath, NoMatch, one
from chaoskit.wire.tls import unverified

if TYPE_CHECKING:
    import httpx

_CANCELLED_WITHIN = 1.0  # seconds
MOST_READ = 1024**2  # bytes of a body that is looked at, packed or not
# Of one that is not: who stops reading in the middle can wedge a proxy that a fault slows down.
MOST_PASSED_OVER = 32 * 1024**2
_STREAMS = ("text/event-stream", "multipart/x-mixed-replace")  # they never end

Status = Annotated[int, Field(strict=True, ge=100, le=599)]


class HttpExpect(Model):
    """What a good answer looks like."""

    status: Status | list[Status] = 200
    body: dict[JsonPath, JsonValue] = Field(default_factory=dict)
    header: dict[str, str] = Field(default_factory=dict)
    endless: bool = Field(
        default=False,
        description="The answer never ends, so its status and its headers decide. An event stream "
        "needs no word.",
    )

    @property
    def statuses(self) -> Sequence[int]:
        return [self.status] if isinstance(self.status, int) else self.status


@probe("http")
class HttpProbe(Probe):
    """Send one HTTP request and look at the status, the JSON body and the headers.

    The request carries the service's own name in `Host`. Redirects are answers like any other,
    certificates are not verified. `body` maps a JSONPath to the value expected there; a path that
    may match several things is compared as a list. `value` is the JSONPath of a number that each
    good sample keeps. At most 1 MiB of a body is read: where only status and headers are expected,
    the rest does not matter, nor does the end of an event stream or of an `endless` answer.
    """

    example: ClassVar[str] = (
        "{ probe: http, url: http://chat:8082/healthz, every: 100ms, timeout: 1s, "
        'expect: {status: 200, body: {"$.redis": up}} }'
    )

    url: HttpUrl
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    expect: HttpExpect = HttpExpect()
    value: JsonPath | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.expect.endless and (self.expect.body or self.value is not None):
            raise ValueError("an `endless` answer has no body to look at: only status and headers")
        return self

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return f"{self.method} {self.url}"

    def load(self) -> None:
        load("httpx", "anyio._backends._asyncio", "jsonpath")
        unverified()

    async def connect(self, routes: Routes) -> HttpSession:
        looks_inside = self.expect.body or self.value is not None
        return HttpSession(self, routes, self._judged_body if looks_inside else None)

    def _judged_body(self, document: bytes) -> Observed:
        try:
            body: Json = read_json(document)
            for path, wanted in self.expect.body.items():
                value = one(path, body)
                if not _same(value, wanted):
                    text = f"body {path} was {shown(value)} not {shown(wanted)}"
                    return Observed(False, one_line(text, LONGEST))
            return Observed(True, value=one(self.value, body) if self.value else None)
        except NoMatch as missing:
            return Observed(False, f"body has {missing}")
        except NoNumber as error:
            return Observed(False, one_line(f"body: {error.msg}", LONGEST))
        except ValueError:
            return Observed(False, "body is not JSON")


class HttpSession(Session):
    """One kept connection; httpx opens it with the first request.

    `look` judges the body, of at most `limit` bytes; without it the body does not matter.
    """

    def __init__(
        self,
        probe: HttpProbe,
        routes: Routes,
        look: Callable[[bytes], Observed] | None,
        limit: int = MOST_READ,
    ) -> None:
        import httpx

        self._probe = probe
        self._routes = routes
        self._look = look
        self._limit = limit
        self._observing: asyncio.Task[object] | None = None
        self._headers = headers_for(probe.url, probe.headers)
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=unverified(),
                trust_env=False,
                retries=0,
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=1, keepalive_expiry=None
                ),
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  # the sampler owns the deadline
        )

    async def observe(self) -> Observed:
        self._observing = asyncio.current_task()
        try:
            return await self._observe()
        finally:
            self._observing = None

    async def _observe(self) -> Observed:
        import httpx

        url = self._probe.url
        try:
            request = self._client.build_request(
                self._probe.method,
                routed(url, self._routes) + (url.path or "/"),
                headers=self._headers,
                extensions={"sni_hostname": url.service} if url.scheme == "https" else None,
            )
            self.waiting_for = "answer"
            response = await self._client.send(request, stream=True)
            try:
                if self._look is None:
                    if not self._endless(response):  # what cuts answers off must be felt
                        self.waiting_for = f"end of the answer with status {response.status_code}"
                        await pass_over(response.aiter_raw(), MOST_PASSED_OVER)
                    return self._judged(response, b"", whole=True)
                body, whole = await read_body(response.aiter_raw(), self._limit)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            return Observed(False, error_words(error), broken=True)
        return self._judged(response, body, whole=whole)

    def _endless(self, response: httpx.Response) -> bool:
        kind = str(response.headers.get("content-type", ""))
        return self._probe.expect.endless or kind.startswith(_STREAMS)

    def _judged(self, response: httpx.Response, body: bytes, *, whole: bool) -> Observed:
        expect = self._probe.expect
        if response.status_code not in expect.statuses:
            return Observed(False, f"status {response.status_code}")
        for name, wanted in expect.header.items():
            found = response.headers.get(name)
            if found != wanted:
                was = "missing" if found is None else f"{shown(found)} not {shown(wanted)}"
                return Observed(False, one_line(f"header {name} was {was}", LONGEST))
        if self._look is None:
            return Observed(True)
        if not whole:
            return Observed(False, f"body: {larger_than(self._limit)}")
        try:
            text = unpacked(body, response.headers.get("content-encoding", ""), self._limit)
        except ValueError as refusal:
            return Observed(False, one_line(f"body: {refusal}", LONGEST))
        return self._look(text)

    async def close(self) -> None:
        # The request goes first: httpx forgets a connection that is made while it closes.
        observing = self._observing
        if observing is not None and observing is not asyncio.current_task():
            observing.cancel()
            await asyncio.wait({observing}, timeout=_CANCELLED_WITHIN)
        await self._client.aclose()


def _same(value: object, wanted: object) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
