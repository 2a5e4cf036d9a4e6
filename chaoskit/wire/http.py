"""What every HTTP request into the stack shares: the routed address and the service's own name."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chaoskit.fields import Url
from chaoskit.stack.routes import Routes

if TYPE_CHECKING:
    import aiohttp


def routed(url: Url, routes: Routes) -> str:
    """Return `http://127.0.0.1:40001`: where a service's URL is reached from here."""
    host, port = routes.address(url.target)
    return f"{url.scheme}://[{host}]:{port}" if ":" in host else f"{url.scheme}://{host}:{port}"


def headers_for(url: Url, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request: `Host` stays the service, the URL's user becomes Basic."""
    default = url.SCHEMES[url.scheme] == url.port
    headers = {"Host": url.service if default else f"{url.service}:{url.port}"}
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
        auto_decompress=True,
    )
    # aiohttp sends GET, PUT and DELETE again when a kept connection breaks, and has no public
    # switch for it; a test counts the requests.
    client._retry_connection = False
    return client
