"""Faults made of toxics: what to add to which proxy, and how to take it away from the undo alone.

The undo is `{"rows": [{"container", "proxy", "toxics": [...]}]}`, each toxic as Toxiproxy's API
writes it, so that reading back can compare every attribute.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field

from chaoskit.fields import Duration, Percentage
from chaoskit.records import Json
from chaoskit.stack.toxiproxy import Stream, Toxic

if TYPE_CHECKING:
    from chaoskit.exchange import Exchange
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

# -- fields that several kinds share ---------------------------------------------------------------

Direction = Literal["both", "request", "reply"]
_STREAMS: dict[Direction, list[Stream]] = {
    "both": ["upstream", "downstream"],
    "request": ["upstream"],
    "reply": ["downstream"],
}
WAYS: dict[Direction, str] = {"both": "each way", "request": "of requests", "reply": "of replies"}

_LEAST_FRACTION = 0.01  # fewer, and a thousand canaries might not meet one
_NOISE = 0.1  # seconds that an exchange may take longer on a busy machine
_MISSED = 0.001  # how often the canaries of a fraction may all be spared


def _fraction(value: Percentage) -> Percentage:
    if value <= 0:
        raise ValueError("`fraction` must be above 0%")
    if value < _LEAST_FRACTION:
        raise ValueError("`fraction` must be at least 1%: fewer connections could not be proven")
    if abs(value * 10_000 - round(value * 10_000)) > 1e-6:
        raise ValueError(f"`{value}` is too exact: at most two digits after the point")
    return Percentage(round(value, 4))


def _milliseconds(value: Duration) -> Duration:
    if abs(value * 1000 - round(value * 1000)) > 1e-6:
        raise ValueError(f"Toxiproxy counts whole milliseconds: `{value}` is not")
    return value


Fraction = Annotated[Percentage, AfterValidator(_fraction)]
# Ten minutes at most; Toxiproxy would wrap around or hang on to connections far beyond a run.
Milliseconds = Annotated[Duration, Field(ge=0, le=Duration(600)), AfterValidator(_milliseconds)]


def canaries_needed(fraction: float) -> int:
    """Return how many canaries it takes until one of them almost surely meets the fraction."""
    return 1 if fraction >= 1 else math.ceil(math.log(_MISSED) / math.log(1 - fraction))


def toxics_for(
    prefix: str,
    kind: str,
    direction: Direction,
    attributes: Mapping[str, int],
    fraction: float = 1.0,
) -> list[Toxic]:
    """Return one toxic for each stream of a direction, named by the fault and the stream."""
    return [
        Toxic(f"{prefix}.{stream}", kind, stream, attributes, float(fraction))
        for stream in _STREAMS[direction]
    ]


def no_word(_before: Exchange, during: Exchange) -> bool:
    """Return whether no answer came, and no end of the connection either."""
    return during.outcome == "silent"


def went_silent(before: Exchange, during: Exchange) -> bool:
    """Return whether an answer, or the greeting of a server that speaks first, did not come."""
    return during.outcome == "silent" or (during.speechless and not before.speechless)


def could_be_noise(fraction: float, before: Exchange, during: Exchange) -> bool:
    """Say whether a busy machine could be as slow; a fraction spares the next canary anyway."""
    return fraction >= 1 and during.answered and during.seconds - before.seconds < _NOISE


def not_enough_bytes(kind: str, moved: int, needed: str) -> str:
    return f"no canary here can feel this `{kind}`: its answer moves {moved} bytes, {needed}"


def fraction_text(fraction: float) -> str:
    """Return how a forecast says a fraction: nothing for all of it."""
    return "" if fraction >= 1 else f", {Percentage(fraction)} of the connections"


# -- adding, removing, reading back ----------------------------------------------------------------


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
    chance = "" if toxic.toxicity >= 1 else f", toxicity={toxic.toxicity:g}"
    return f"{toxic.type} {toxic.stream} ({attributes}{chance})"
