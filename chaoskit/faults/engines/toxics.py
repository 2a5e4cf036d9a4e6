"""Faults on one edge: toxics on its proxies, added, read back and taken away again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from chaoskit.exchange import Canary, Exchange, Traffic
from chaoskit.faults.contract import OneEdge, Receipt, Undo
from chaoskit.fields import Duration, Model, Percentage
from chaoskit.stack.toxiproxy import Stream, Toxic
from chaoskit.tasks import together
from chaoskit.text import count

if TYPE_CHECKING:
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
_TOLD = 0.002  # seconds: no shorter delay can be told apart from the noise of any machine
_LIKELY = 0.05  # how likely it may be at most that a fraction met no connection of the client
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
    """Return whether a busy machine could be as slow; a fraction spares the next canary anyway."""
    return fraction >= 1 and during.answered and during.seconds - before.seconds < _NOISE


def told_apart(before: Exchange) -> float:
    """Return how many seconds more than before the fault are more than noise."""
    return max(_TOLD, 2 * before.spread)


def spared_by(fraction: float, direction: Direction, traffic: Traffic) -> str | None:
    """Return why a fraction may well have met none of the client's connections; the toss is for
    each connection and direction."""
    number = max(traffic.active, traffic.opened, bool(traffic.pushed))
    chance = (1 - fraction) ** (number * len(_STREAMS[direction]))
    if fraction >= 1 or chance <= _LIKELY:
        return None
    return (
        f"{count(number, 'connection')} of the client used it, and with {Percentage(fraction)} of"
        f" them the chance is {Percentage(round(chance, 2))} that none was hit"
    )


def not_enough_bytes(kind: str, moved: int, needed: str) -> str:
    return f"no canary here can feel this `{kind}`: its answer moves {moved} bytes, {needed}"


def fraction_text(fraction: float) -> str:
    """Return how a forecast says a fraction: nothing for all of it."""
    return "" if fraction >= 1 else f", {Percentage(fraction)} of the connections"


# -- adding, removing, reading back ----------------------------------------------------------------


class ProxyRow(Model):
    """One proxy, and the toxics that the fault adds to it."""

    container: str
    proxy: str
    toxics: tuple[Toxic, ...] = ()


class EdgeUndo(Undo):
    """The proxies that a fault changes; `holder` is set where it closes them."""

    holder: str = ""
    rows: tuple[ProxyRow, ...]


def rows_of(proxies: Sequence[Proxy], toxics: Sequence[Toxic] = ()) -> tuple[ProxyRow, ...]:
    """Return the undo data for the same toxics on every one of these proxies."""
    return tuple(
        ProxyRow(container=proxy.container, proxy=proxy.name, toxics=tuple(toxics))
        for proxy in proxies
    )


def blackhole(prefix: str, *streams: Stream) -> list[Toxic]:
    """Return toxics that swallow everything in these directions (`timeout` 0: never closes)."""
    return [Toxic(f"{prefix}.{stream}", "timeout", stream, {"timeout": 0}) for stream in streams]


async def add(stack: Stack, undo: EdgeUndo) -> None:
    """Add every toxic of the undo data, proxies side by side."""

    async def on_one(proxy: Proxy, toxics: Sequence[Toxic]) -> None:
        for toxic in toxics:
            await stack.add_toxic(proxy, toxic)

    await together(*(on_one(proxy, row.toxics) for proxy, row in found(stack, undo)))


async def remove(stack: Stack, undo: EdgeUndo) -> None:
    """Remove every toxic of the undo data; what is gone already is fine."""
    await together(
        *(
            stack.remove_toxics(proxy, [toxic.name for toxic in row.toxics])
            for proxy, row in found(stack, undo)
        )
    )


async def present(stack: Stack, undo: EdgeUndo) -> Receipt:
    """Read back that every toxic is there with the very attributes that were asked for."""
    seen = []
    for proxy, row in found(stack, undo):
        state = await stack.state_of(proxy)
        missing = [toxic.name for toxic in row.toxics if toxic not in state.toxics]
        if missing:
            return Receipt(False, f"{proxy.container}/{proxy.name} lacks {', '.join(missing)}")
        seen.append(f"{proxy.container}/{proxy.name} has {', '.join(map(_said, row.toxics))}")
    return Receipt(bool(seen), "; ".join(seen) or "no proxy carries it")


async def absent(stack: Stack, undo: EdgeUndo) -> Receipt:
    """Read back that none of the toxics is left and that the proxies are there."""
    names = []
    for proxy, row in found(stack, undo):
        state = await stack.state_of(proxy)
        left = {toxic.name for toxic in state.toxics} & {toxic.name for toxic in row.toxics}
        if left:
            text = f"{proxy.container}/{proxy.name} still has {', '.join(sorted(left))}"
            return Receipt(False, text)
        names.append(f"{proxy.container}/{proxy.name}")
    return Receipt(True, f"no toxic of it left on {', '.join(names) or 'any proxy'}")


def found(stack: Stack, undo: EdgeUndo) -> Iterator[tuple[Proxy, ProxyRow]]:
    """Find the proxies again: a container that is gone took its toxics with it."""
    for row in undo.rows:
        proxy = stack.find(row.container, row.proxy)
        if proxy is not None:
            yield proxy, row


def _said(toxic: Toxic) -> str:
    attributes = ", ".join(f"{key}={value}" for key, value in toxic.attributes.items())
    chance = "" if toxic.toxicity >= 1 else f", toxicity={toxic.toxicity:g}"
    return f"{toxic.type} {toxic.stream} ({attributes}{chance})"


# -- the base of the kinds -------------------------------------------------------------------------


class EdgeFault(OneEdge[EdgeUndo]):
    """A fault on one edge, made of toxics on its proxies."""

    undo_model = EdgeUndo
    needs = ("helper",)  # it counts who uses the edge

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return stack.proxies_of(self.edge)

    def canary(self) -> Canary:
        return Canary(blind=self.speechless)

    def speechless(self, before: Exchange) -> str | None:
        """Return why a connection without a word feels nothing, if it was one."""
        if not before.speechless:
            return None
        return (
            f"no canary can feel `{self.kind}` on a plain TCP port; a redis://, postgres:// or"
            " http:// URL of that port (of a probe, a workload, a client) says how to talk to it"
        )

    def toxics(self) -> Sequence[Toxic]:
        """Return the toxics that make this fault; their names start with the fault's id."""
        raise NotImplementedError

    async def prepare(self, stack: Stack) -> EdgeUndo:
        return EdgeUndo(rows=rows_of(stack.proxies_of(self.edge), self.toxics()))

    async def inject(self, stack: Stack, undo: EdgeUndo) -> None:
        await add(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: EdgeUndo) -> None:
        await remove(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        return await present(stack, undo)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: EdgeUndo) -> Receipt:
        return await absent(stack, undo)
