"""`partition`: silence between groups of services."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from chaoskit.errors import FaultFailed
from chaoskit.faults import _toxics
from chaoskit.faults._base import Fault, Forecast, Receipt, Undo, fault
from chaoskit.fields import Edge, ServiceName

if TYPE_CHECKING:
    from chaoskit.stack.canary import Exchange
    from chaoskit.stack.live import Proxy, Stack

Group = Annotated[list[ServiceName], Field(min_length=1)]


@fault("partition")
class Partition(Fault):
    """Cut groups of services off from each other; within a group everything works.

    With `groups`, everything between two groups is silent, both ways. With `from` and `to`, only
    what the first services send to the second is lost. Services in no group are not touched.
    """

    example = "{ at: 2s, for: 4s, fault: partition, groups: [[chat], [redis]] }"

    groups: Annotated[list[Group], Field(min_length=2)] | None = None
    from_: Annotated[Group | None, Field(alias="from")] = None
    to: Group | None = None
    engine: Literal["proxy"] = "proxy"

    @model_validator(mode="after")
    def _one_shape(self) -> Partition:
        one_way = self.from_ is not None and self.to is not None
        if (self.groups is None) == (self.from_ is None and self.to is None):
            raise ValueError("a partition has either `groups`, or `from` and `to`")
        if self.groups is None and not one_way:
            raise ValueError("a one-way partition needs both `from` and `to`")
        seen: set[str] = set()
        for group in self._sides():
            twice = seen & set(group)
            if twice:
                raise ValueError(f"`{min(twice)}` is in two groups")
            seen |= set(group)
        return self

    def _sides(self) -> list[list[str]]:
        return self.groups if self.groups is not None else [self.from_ or [], self.to or []]

    @property
    def target(self) -> str:
        sides = [", ".join(group) for group in self._sides()]
        return (" | " if self.groups is not None else " -> ").join(sides)

    def services(self) -> Sequence[str]:
        return [service for group in self._sides() for service in group]

    def proxied(self, joined: Collection[tuple[str, str]]) -> Sequence[Edge]:
        return [
            Edge(client, upstream)
            for client, upstream in self._cut()
            if (client, upstream) in joined
        ]

    def _cut(self) -> list[tuple[str, str]]:
        """Return every ordered (client, upstream) pair with its ends on different sides."""
        return [
            (client, upstream)
            for one, other in permutations(self._sides(), 2)
            for client in one
            for upstream in other
        ]

    def forecast(self) -> Forecast:
        how = "silence between" if self.groups is not None else "one-way silence"
        return Forecast(
            f"{how} {self.target}, new and live connections",
            "remove the toxics, which closes the connections between the groups",
            "lost TCP handshakes: connecting to a proxy still succeeds",
        )

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        cut = set(self._cut())
        return [proxy for proxy in stack.proxies if (proxy.client, proxy.upstream) in cut]

    def felt(self, before: Exchange, during: Exchange) -> bool:
        return during.outcome == "silent"

    async def prepare(self, stack: Stack) -> Undo:
        proxies = self.listeners(stack)
        if not proxies:
            raise FaultFailed(f"no proxied edge crosses {self.target}")
        rows = []
        for proxy in proxies:
            streams = ["upstream", "downstream"]
            if self.groups is None:
                # Data flows to the upstream in `upstream`, back to the client in `downstream`.
                streams = ["upstream"] if proxy.client in (self.from_ or ()) else ["downstream"]
            rows.append(_toxics.row(proxy, _toxics.blackhole(self.name, *streams)))
        return {"rows": rows}

    async def inject(self, stack: Stack, undo: Undo) -> None:
        await _toxics.add(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: Undo) -> None:
        await _toxics.remove(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: Undo) -> Receipt:
        return Receipt(*await _toxics.present(stack, undo))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: Undo) -> Receipt:
        return Receipt(*await _toxics.absent(stack, undo))
