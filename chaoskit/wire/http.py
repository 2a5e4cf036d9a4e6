"""What every HTTP request into the stack shares: the routed address and the service's own name."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from chaoskit.fields import HttpUrl
from chaoskit.stack.routes import Routes


def routed(url: HttpUrl, routes: Routes) -> str:
    """Return `http://127.0.0.1:40001`: where a service's URL is reached from here."""
    host, port = routes.address(url.target)
    return f"{url.scheme}://[{host}]:{port}" if ":" in host else f"{url.scheme}://{host}:{port}"


def headers_for(url: HttpUrl, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request: `Host` stays the service, the URL's user becomes Basic."""
    default = HttpUrl.SCHEMES[url.scheme] == url.port
    headers = {"Host": url.service if default else f"{url.service}:{url.port}"}
    if url.user is not None or url.password is not None:
        pair = f"{url.user or ''}:{url.password or ''}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    given = {name.lower() for name in extra}
    return {name: text for name, text in headers.items() if name.lower() not in given} | dict(extra)
