"""What a service's environment and command say about the servers that it talks to.

A name of a server stands in a URL (`redis://redis:6400/0`), before a port (`api:9100`), alone
(`REDIS_HOST=redis`, with the port in `REDIS_PORT`), or among options (`-h redis -p 6400`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chaoskit.ports import SCHEMES
from chaoskit.stack.project import Service

_HOST_KEY = re.compile(r"HOST|SERVER|ADDR|URL|URI|ENDPOINT|BROKER|UPSTREAM|SERVICE", re.IGNORECASE)
# The key of the port that belongs to a key of a host: REDIS_HOST and REDIS_PORT, PGHOST and PGPORT.
_HOST_END = re.compile(r"(HOST(NAME)?|SERVER|ADDR(ESS)?|ENDPOINT|UPSTREAM|SERVICE)$", re.IGNORECASE)
_IMAGE_KEY = re.compile(r"IMAGE|TAG|VERSION", re.IGNORECASE)
_PORT_KEY, _FLAG = "PORT", re.compile(r"[\"',\s]+(?:-p|--port)[\"',\s=]*([0-9]{1,5})(?![\w.])")
_SCHEME = re.compile(r"([A-Za-z][\w+.-]*)://[^\s/\"']*$")
_PORT = re.compile(r":([0-9]{1,5})(?![\w.-])")
_LEAST_PORT = 21  # below, `name:7` without a scheme is the version of an image


@dataclass(frozen=True, slots=True)
class Mention:
    """One place that names a server; `port` and `protocol` as far as it says them."""

    place: str
    port: int | None = None
    protocol: str | None = None
    udp: bool = False


def mentions(client: Service, upstream: Service) -> list[Mention]:
    """Return everything in the client's environment and command that names the upstream."""
    names = upstream.names_on(client.networks)
    # A host stands alone or behind `//` or `@`: not in a path, not as a user or password.
    name = re.compile(
        rf"(?:(?<=//)|(?<=@)|(?<![\w./-]))(?:{'|'.join(map(re.escape, names))})"
        r"(?![\w-])(?!\.\w)(?![^\s/,]*@)"
    )
    found = []
    for key, value in client.environment.items():
        place = f"environment {key}"
        if value in names:
            # A value that is nothing but the name may be a user or a database of that name.
            if _HOST_KEY.search(key):
                port = client.environment.get(_HOST_END.sub(_PORT_KEY, key), "")
                found.append(Mention(place, int(port) if _is_port(port) else None))
        elif _IMAGE_KEY.search(key):
            found += [Mention(place)] if name.search(value) else []
        else:
            found += _in_text(place, value, name)
    for word in client.words:
        found += _in_text("command", word, name)
    for word, flag, port in zip(client.words, client.words[1:], client.words[2:], strict=False):
        if word in names and flag in ("-p", "--port") and _is_port(port):
            found.append(Mention("command", int(port)))
    return found


def _in_text(place: str, text: str, name: re.Pattern[str]) -> Iterator[Mention]:
    for match in name.finditer(text):
        written = _SCHEME.search(text[: match.start()])
        scheme = written[1].lower().partition("+")[0] if written else ""
        after = text[match.end() :]
        port = _PORT.match(after)
        flag = _FLAG.match(after)
        if port and (scheme or int(port[1]) >= _LEAST_PORT) and _is_port(port[1]):
            number: int | None = int(port[1])
        elif flag and _is_port(flag[1]):
            number = int(flag[1])
        else:
            number = SCHEMES[scheme].port if scheme in SCHEMES and not port else None
        protocol = SCHEMES[scheme].protocol if scheme in SCHEMES else "tcp" if scheme else None
        yield Mention(place, number, protocol, udp=scheme == "udp")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
