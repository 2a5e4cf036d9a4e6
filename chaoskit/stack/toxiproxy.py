"""Toxiproxy's HTTP API, with deadlines, real errors, read-back and the way out of a wedged proxy.

The server checks almost nothing, so bounds are checked by the fault kinds before anything gets
here. `toxiproxy-python` is not used at run time: it has no timeouts, takes a 5xx for success and
keeps its server in a class variable, which is process-wide; it serves in the contract tests as an
independent second client that must see what this one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from chaoskit.errors import EnvironmentFailure, FaultFailed
from chaoskit.records import Json

if TYPE_CHECKING:
    import httpx

CONNECT_DEADLINE = 1.0
CALL_DEADLINE = 2.0

Stream = Literal["upstream", "downstream"]  # Toxiproxy's words: towards the upstream, and back


class ToxiproxyUnreachable(EnvironmentFailure):
    """No answer from the API: the container is gone or not up yet."""


class ToxiproxyWedged(FaultFailed):
    """The API answers, but this call hangs or fails inside: one proxy blocks it."""


class ToxiproxyRefused(FaultFailed):
    """The API refused a call; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Toxic:
    """A toxic as the API knows it; times are in milliseconds there, sizes in bytes."""

    name: str
    type: str
    stream: Stream
    attributes: Mapping[str, int]
    toxicity: float = 1.0

    def body(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": dict(self.attributes),
        }

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Toxic:
        return cls(
            str(body["name"]),
            str(body["type"]),
            body["stream"],
            {str(key): int(value) for key, value in body["attributes"].items()},
            float(body["toxicity"]),
        )


@dataclass(frozen=True, slots=True)
class ProxyState:
    """A proxy as read back. `listen` is what the server made of it, such as `[::]:6379`."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> ProxyState:
        toxics = tuple(Toxic.read(toxic) for toxic in body.get("toxics") or ())
        return cls(body["name"], body["listen"], body["upstream"], bool(body["enabled"]), toxics)


class Toxiproxy:
    """One Toxiproxy server. Use as an async context manager, or call `close`."""

    def __init__(self, base_url: str, *, deadline: float = CALL_DEADLINE) -> None:
        import httpx

        self._base_url = base_url
        self._deadline = deadline
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(deadline, connect=CONNECT_DEADLINE),
            trust_env=False,
            verify=False,  # noqa: S501  # never https; else each client reads all CA certificates
            headers={"User-Agent": "chaoskit"},  # a browser's name would be answered with 403
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def version(self) -> str:
        return str((await self._call("GET", "/version"))["version"])

    async def proxies(self) -> dict[str, ProxyState]:
        """Return every proxy by name. One wedged proxy makes this hang: `ToxiproxyWedged`."""
        body = await self._call("GET", "/proxies")
        return {name: ProxyState.read(proxy) for name, proxy in body.items()}

    async def proxy(self, name: str) -> ProxyState:
        return ProxyState.read(await self._call("GET", f"/proxies/{name}"))

    async def create(self, definition: Mapping[str, Json]) -> ProxyState:
        return ProxyState.read(await self._call("POST", "/proxies", definition))

    async def delete(self, name: str) -> None:
        """Delete a proxy, also a wedged one; one that is not there is fine."""
        await self._call("DELETE", f"/proxies/{name}", missing_is_fine=True)

    async def set_enabled(self, name: str, enabled: bool) -> ProxyState:
        """Open or close the listener; closing cuts every live connection."""
        return ProxyState.read(await self._call("PATCH", f"/proxies/{name}", {"enabled": enabled}))

    async def add_toxic(self, proxy: str, toxic: Toxic) -> Toxic:
        """Add a toxic and return the server's view of it."""
        return Toxic.read(await self._call("POST", f"/proxies/{proxy}/toxics", toxic.body()))

    async def remove_toxic(self, proxy: str, toxic: str) -> None:
        """Remove a toxic; one that is not there is fine."""
        await self._call("DELETE", f"/proxies/{proxy}/toxics/{toxic}", missing_is_fine=True)

    async def recreate(self, definition: Mapping[str, Json]) -> ProxyState:
        """Delete a proxy and make it again: the only way out when it is wedged."""
        await self.delete(str(definition["name"]))
        return await self.create(definition)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None = None,
        *,
        missing_is_fine: bool = False,
    ) -> Mapping[str, Any]:
        import httpx

        what = f"toxiproxy {method} {path}"
        try:
            async with asyncio.timeout(CONNECT_DEADLINE + self._deadline):  # httpx counts per read
                answer = await self._http.request(method, path, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ToxiproxyUnreachable(f"{what}: nothing listens at {self._base_url}") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise ToxiproxyWedged(f"{what}: no answer in time, a proxy is wedged") from error
        except httpx.HTTPError as error:
            raise ToxiproxyUnreachable(f"{what}: {type(error).__name__}") from error
        if answer.status_code == 404 and missing_is_fine:
            return {}
        if answer.status_code == 503:  # the server's own deadline, with a page instead of JSON
            raise ToxiproxyWedged(f"{what}: timed out inside the server")
        if not answer.is_success:
            raise ToxiproxyRefused(f"{what}: {_reason(answer)}", answer.status_code)
        if not answer.content:
            return {}
        try:
            parsed = answer.json()
        except ValueError:
            raise ToxiproxyRefused(f"{what}: the answer is not JSON", answer.status_code) from None
        if not isinstance(parsed, dict):
            raise ToxiproxyRefused(f"{what}: the answer is not an object", answer.status_code)
        return parsed


def _reason(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:120].strip()}"
