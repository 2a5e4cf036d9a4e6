"""Faults that close the listener of a proxy: which proxies, and whether they listen again.

The undo is `{"holder", "rows": [{"container", "proxy"}], ...}`. A listener opens when its last
holder gives it up, so faults of this sort may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from chaoskit.records import Json

if TYPE_CHECKING:
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack


def describe(holder: str, proxies: Sequence[Proxy]) -> dict[str, Json]:
    rows: list[Json] = [{"container": p.container, "proxy": p.name} for p in proxies]
    return {"holder": holder, "rows": rows}


def holder_of(undo: Mapping[str, Json]) -> str:
    return str(undo["holder"])


def proxies_of(stack: Stack, undo: Mapping[str, Json]) -> list[Proxy]:
    rows = cast("Sequence[Mapping[str, Any]]", undo["rows"])
    found = [stack.find(row["container"], row["proxy"]) for row in rows]
    return [proxy for proxy in found if proxy is not None]


async def close(stack: Stack, undo: Mapping[str, Json]) -> None:
    await stack.close_proxies(proxies_of(stack, undo), holder_of(undo))


async def give_up(stack: Stack, undo: Mapping[str, Json]) -> None:
    await stack.open_proxies(proxies_of(stack, undo), holder_of(undo))


async def shut(stack: Stack, undo: Mapping[str, Json]) -> tuple[bool, str]:
    """Read back that no proxy listens."""
    proxies = proxies_of(stack, undo)
    open_ = [p.name for p in proxies if (await stack.state_of(p)).enabled]
    if open_ or not proxies:
        return False, f"still listening: {', '.join(open_) or 'no proxy found'}"
    return True, f"not listening: {', '.join(p.name for p in proxies)}"


async def open_again(stack: Stack, undo: Mapping[str, Json]) -> tuple[bool, str]:
    """Read back that every proxy listens which no other fault holds closed."""
    holder = holder_of(undo)
    for proxy in proxies_of(stack, undo):
        held = stack.held_closed(proxy, besides=holder)
        if not held and not (await stack.state_of(proxy)).enabled:
            return False, f"`{proxy.name}` does not listen again"
    return True, "every proxy listens again"
