"""Faults made of toxics: what to add to which proxy, and how to take it away from the undo alone.

The undo is `{"rows": [{"container", "proxy", "toxics": [...]}]}`, each toxic as Toxiproxy's API
writes it, so that reading back can compare every attribute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from chaoskit.records import Json
from chaoskit.stack.toxiproxy import Toxic

if TYPE_CHECKING:
    from chaoskit.stack.live import Proxy, Stack


def blackhole(prefix: str, *streams: str) -> list[Toxic]:
    """Return toxics that swallow everything in these directions (`timeout` 0: never closes)."""
    return [
        Toxic(f"{prefix}.{stream}", "timeout", stream, {"timeout": 0})  # type: ignore[arg-type]  # callers pass Toxiproxy's two words
        for stream in streams
    ]


def describe(proxies: Sequence[Proxy], toxics: Sequence[Toxic]) -> Mapping[str, Json]:
    """Return the undo data for adding the same toxics to every one of these proxies."""
    return {"rows": [row(proxy, toxics) for proxy in proxies]}


def row(proxy: Proxy, toxics: Sequence[Toxic]) -> Mapping[str, Json]:
    return {
        "container": proxy.container,
        "proxy": proxy.name,
        "toxics": [toxic.body() for toxic in toxics],
    }


async def add(stack: Stack, undo: Mapping[str, Json]) -> None:
    """Add every toxic of the undo data, proxies side by side."""

    async def on_one(proxy: Proxy, toxics: Sequence[Toxic]) -> None:
        for toxic in toxics:
            await stack.add_toxic(proxy, toxic)

    await asyncio.gather(*(on_one(proxy, toxics) for proxy, toxics in _rows(stack, undo)))


async def remove(stack: Stack, undo: Mapping[str, Json]) -> None:
    """Remove every toxic of the undo data; what is gone already is fine."""
    await asyncio.gather(
        *(
            stack.remove_toxics(proxy, [toxic.name for toxic in toxics])
            for proxy, toxics in _rows(stack, undo)
        )
    )


async def present(stack: Stack, undo: Mapping[str, Json]) -> tuple[bool, str]:
    """Read back that every toxic is there with the very attributes that were asked for."""
    seen = []
    for proxy, toxics in _rows(stack, undo):
        state = await stack.state_of(proxy)
        missing = [toxic.name for toxic in toxics if toxic not in state.toxics]
        if missing:
            return False, f"{proxy.container}/{proxy.name} lacks {', '.join(missing)}"
        seen.append(f"{proxy.container}/{proxy.name} has {', '.join(_said(t) for t in toxics)}")
    return bool(seen), "; ".join(seen) or "no proxy carries it"


async def absent(stack: Stack, undo: Mapping[str, Json]) -> tuple[bool, str]:
    """Read back that none of the toxics is left and that the proxies are there."""
    names = []
    for proxy, toxics in _rows(stack, undo):
        state = await stack.state_of(proxy)
        left = {toxic.name for toxic in state.toxics} & {toxic.name for toxic in toxics}
        if left:
            return False, f"{proxy.container}/{proxy.name} still has {', '.join(sorted(left))}"
        names.append(f"{proxy.container}/{proxy.name}")
    return True, f"no toxic of it left on {', '.join(names) or 'any proxy'}"


def _rows(stack: Stack, undo: Mapping[str, Json]) -> Iterator[tuple[Proxy, list[Toxic]]]:
    """Find the proxies again: a container that is gone took its toxics with it."""
    for entry in cast("Sequence[Mapping[str, Any]]", undo["rows"]):
        proxy = stack.find(entry["container"], entry["proxy"])
        if proxy is not None:
            yield proxy, [Toxic.read(toxic) for toxic in entry["toxics"]]


def _said(toxic: Toxic) -> str:
    attributes = ", ".join(f"{key}={value}" for key, value in toxic.attributes.items())
    return f"{toxic.type} {toxic.stream} ({attributes})"
