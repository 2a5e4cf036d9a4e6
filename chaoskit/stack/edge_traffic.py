"""Was an edge in use? Evidence from Toxiproxy's log, TCP tables and interface counters.

Toxiproxy's own byte counters move only when a connection ends, so they say nothing about a pool
that stays open. Its log names every accepted client; the client's TCP table shows connections that
stay; the proxy container's interface counters show whether bytes moved on them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chaoskit.clock import parse_stamp
from chaoskit.errors import ChaoskitError
from chaoskit.fields import HOST
from chaoskit.stack.connections import connections_of, towards
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a proxy: open connections of its real client, bytes moved by its container."""

    live: int | None
    moved: int | None


async def look(stack: Stack, proxy: Proxy) -> Reading:
    """Look at a proxy now; what cannot be read is None."""
    container = stack.proxy_container(proxy)
    live: int | None = 0
    try:
        moved: int | None = await stack.containers.network_bytes(container.id)
        for client in await stack.containers.of(stack.project, proxy.client):
            rows = await connections_of(stack.exec, client)
            if rows is None:
                live = None
                break
            open_rows = [row for row in rows if row.established]
            live = (live or 0) + towards(open_rows, container.addresses, [proxy.listen])
    except ChaoskitError:
        return Reading(None, None)
    return Reading(live, moved)


async def accepted(stack: Stack, proxies: Sequence[Proxy]) -> dict[Proxy, list[datetime]]:
    """Return when each proxy accepted a connection from its real client (not from a canary)."""
    found: dict[Proxy, list[datetime]] = {proxy: [] for proxy in proxies}
    for name in {proxy.container for proxy in proxies}:
        mine = {p.name: p for p in proxies if p.container == name}
        first = next(iter(mine.values()))
        clients = set()
        if first.client != HOST:
            for client in await stack.containers.of(stack.project, first.client):
                clients |= set(client.addresses)
        for line in await stack.containers.logs(stack.proxy_container(first).id):
            stamp, _, text = line.partition(" ")
            if "Accepted client" not in text:
                continue
            try:
                row = json.loads(text)
                address = str(row["client"]).rpartition(":")[0].strip("[]").removeprefix("::ffff:")
                when = parse_stamp(stamp)
            except (ValueError, KeyError):
                continue
            real = address in clients or first.client == HOST
            if when is not None and real and row.get("name") in mine:
                found[mine[row["name"]]].append(when)
    return found
