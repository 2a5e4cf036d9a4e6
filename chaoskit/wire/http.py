"""What every HTTP request into the stack shares: the routed address, the service's own name, and
how much of an answer is read."""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterable, Mapping
from typing import TYPE_CHECKING

from chaoskit.fields import Url
from chaoskit.stack.routes import Routes

if TYPE_CHECKING:
    import aiohttp

MOST_UNUSED = 1024**2  # bytes of a body that nobody looks at: its end keeps the connection
_PACKED = {"gzip": 47, "x-gzip": 47, "deflate": 47}  # window bits: gzip and zlib are told apart
_EMPTY = ("", "identity")


def routed(url: Url, routes: Routes) -> str:
    """Return `http://127.0.0.1:40001`: where a service's URL is reached from here."""
    host, port = routes.address(url.target)
    return f"{url.scheme}://[{host}]:{port}" if ":" in host else f"{url.scheme}://{host}:{port}"


def headers_for(url: Url, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request: `Host` stays the service, the URL's user becomes Basic."""
    default = url.SCHEMES[url.scheme] == url.port
    headers = {
        "Host": url.service if default else f"{url.service}:{url.port}",
        "Accept-Encoding": "gzip, deflate",  # what `unpacked` can unpack
    }
    if url.user is not None or url.password is not None:
        pair = f"{url.user or ''}:{url.password or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    given = {name.lower() for name in extra}
    return {name: text for name, text in headers.items() if name.lower() not in given} | dict(extra)


def single_connection() -> aiohttp.ClientSession:
    """Return an aiohttp client of one kept connection, which sends nothing twice."""
    import aiohttp

    client = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=3600, ssl=False),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None),
        trust_env=False,
        auto_decompress=False,  # it unpacks without a limit
    )
    # aiohttp sends GET, PUT and DELETE again when a kept connection breaks, and has no public
    # switch for it; a test counts the requests.
    client._retry_connection = False
    return client


async def read_body(chunks: AsyncIterable[bytes], limit: int) -> tuple[bytes, bool]:
    """Return what comes of a body, and whether that is all of it: it ends after `limit` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return bytes(body), False
    return bytes(body), True


async def pass_over(chunks: AsyncIterable[bytes], limit: int) -> None:
    """Read a body that nobody looks at, and keep nothing of it; no more than `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            return


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its `Content-Encoding`. Raises `ValueError` in words where it is larger
    than `limit` bytes, or cannot be unpacked."""
    if encoding.lower() in _EMPTY:
        return body
    bits = _PACKED.get(encoding.lower())
    if bits is None:
        raise ValueError(f"its encoding `{encoding}` was not asked for")
    for attempt in (bits, -zlib.MAX_WBITS):  # some servers send deflate without its header
        unpacker = zlib.decompressobj(attempt)
        try:
            text = unpacker.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(text) > limit:
            raise ValueError(larger_than(limit))
        if unpacker.eof:
            return text
    raise ValueError(f"it is not {encoding}")


def larger_than(limit: int) -> str:
    """Return why a body was not read to its end."""
    return f"it is larger than {limit // 1024**2} MiB, and no more of it is read"
