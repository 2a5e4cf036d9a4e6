"""The `http` probe."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from chaoskit.fields import HttpUrl, Model, Target
from chaoskit.probes._base import Observed, Probe, probe
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line, shown
from chaoskit.wire import load
from chaoskit.wire.error_text import LONGEST, error_words
from chaoskit.wire.http import headers_for, routed
from chaoskit.wire.paths import JsonPath, NoMatch, one

if TYPE_CHECKING:
    import httpx

_CANCELLED_WITHIN = 1.0  # seconds

Status = Annotated[int, Field(strict=True, ge=100, le=599)]


class HttpExpect(Model):
    """What a good answer looks like."""

    status: Status | list[Status] = 200
    body: dict[JsonPath, JsonValue] = Field(default_factory=dict)
    header: dict[str, str] = Field(default_factory=dict)

    @property
    def statuses(self) -> Sequence[int]:
        return [self.status] if isinstance(self.status, int) else self.status


@probe("http")
class HttpProbe(Probe):
    """Send one HTTP request and look at the status, the JSON body and the headers.

    The request carries the service's own name in `Host`. Redirects are answers like any other,
    certificates are not verified. `body` maps a JSONPath to the value expected there; a path that
    may match several things is compared as a list. `value` is the JSONPath of a number that each
    good sample keeps.
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

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def load(self) -> None:
        load("httpx", "anyio._backends._asyncio", "jsonpath")
        _unverified()

    async def connect(self, routes: Routes) -> HttpSession:
        return HttpSession(self, routes)


class HttpSession:
    """One kept connection; httpx opens it with the first request."""

    def __init__(self, probe: HttpProbe, routes: Routes) -> None:
        import httpx

        self._probe = probe
        self._routes = routes
        self._observing: asyncio.Task[object] | None = None
        self._headers = headers_for(probe.url, probe.headers)
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=_unverified(),
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
            response = await self._client.request(
                self._probe.method,
                routed(url, self._routes) + (url.path or "/"),
                headers=self._headers,
                extensions={"sni_hostname": url.service} if url.scheme == "https" else None,
            )
        except httpx.HTTPError as error:
            return Observed(False, error_words(error), broken=True)
        return self._judged(response)

    def _judged(self, response: httpx.Response) -> Observed:
        expect = self._probe.expect
        if response.status_code not in expect.statuses:
            return Observed(False, f"status {response.status_code}")
        for name, wanted in expect.header.items():
            found = response.headers.get(name)
            if found != wanted:
                was = "missing" if found is None else f"{shown(found)} not {shown(wanted)}"
                return Observed(False, one_line(f"header {name} was {was}", LONGEST))
        if not expect.body and self._probe.value is None:
            return Observed(True)
        return self._judged_body(response)

    def _judged_body(self, response: httpx.Response) -> Observed:
        try:
            body: Json = response.json()
            for path, wanted in self._probe.expect.body.items():
                value = one(path, body)
                if not _same(value, wanted):
                    text = f"body {path} was {shown(value)} not {shown(wanted)}"
                    return Observed(False, one_line(text, LONGEST))
            return Observed(True, value=one(self._probe.value, body) if self._probe.value else None)
        except NoMatch as missing:
            return Observed(False, f"body has {missing}")
        except ValueError:
            return Observed(False, "body is not JSON")

    async def close(self) -> None:
        # The request goes first: httpx forgets a connection that is made while it closes.
        observing = self._observing
        if observing is not None and observing is not asyncio.current_task():
            observing.cancel()
            await asyncio.wait({observing}, timeout=_CANCELLED_WITHIN)
        await self._client.aclose()


@functools.cache
def _unverified() -> ssl.SSLContext:
    """Return one TLS context for all sessions: making one costs milliseconds of the loop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _same(value: object, wanted: object) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
