"""`partition`: silence between groups of services."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from chaoskit.errors import FaultFailed
from chaoskit.exchange import Canary
from chaoskit.faults.contract import Fault, Forecast, Receipt, Undo, fault
from chaoskit.faults.engines import packets, toxics
from chaoskit.faults.engines.packets import Member, PacketsUndo, replica_of, service_of
from chaoskit.faults.engines.toxics import EdgeUndo, ProxyRow
from chaoskit.fields import Edge

if TYPE_CHECKING:
    from chaoskit.stack.capabilities import Need
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack
    from chaoskit.stack.toxiproxy import Stream

Group = Annotated[list[Member], Field(min_length=1)]


class PartitionUndo(Undo):
    """What one of the two engines undoes."""

    cut: EdgeUndo | PacketsUndo

    @model_validator(mode="before")
    @classmethod
    def _of_version_1(cls, row: Any) -> Any:
        """Accept the undo data of ledgers of version 1, which was the engine's alone."""
        return {"cut": row} if isinstance(row, Mapping) and "cut" not in row else row


@fault("partition")
class Partition(Fault[PartitionUndo]):
    """Cut groups of services off from each other; within a group everything works.

    With `groups`, everything between two groups is silent, both ways. With `from` and `to`, only
    what the first services send to the second is lost. Services in no group are not touched, and
    neither is chaoskit's own path from the host.

    `engine: proxy` swallows the data on the proxied edges between the groups: connections can still
    be opened, and healing closes the silent ones. `engine: netfilter` drops the packets between the
    containers: handshakes are lost too, and healing lets TCP deliver what it kept. One way, TCP's
    own acknowledgements are packets as well: with netfilter no new connection opens in either
    direction, with the proxy engine they open.

    With netfilter, `"chat[1]"` (quoted) names one replica; `chat` in another group then means the
    other replicas: `groups: [["chat[1]"], [chat, redis]]`.
    """

    undo_model = PartitionUndo
    needs = ("helper", "netfilter")  # by proxy, a helper counts who uses the edges
    needs_when = "with `engine: netfilter`"
    example = "{ at: 2s, for: 4s, fault: partition, groups: [[chat], [redis]] }"

    groups: Annotated[list[Group], Field(min_length=2)] | None = None
    from_: Annotated[Group | None, Field(alias="from")] = None
    to: Group | None = None
    engine: Literal["proxy", "netfilter"] = "proxy"

    @model_validator(mode="after")
    def _one_shape(self) -> Partition:
        one_way = self.from_ is not None and self.to is not None
        if (self.groups is None) == (self.from_ is None and self.to is None):
            raise ValueError("a partition has either `groups`, or `from` and `to`")
        if self.groups is None and not one_way:
            raise ValueError("a one-way partition needs both `from` and `to`")
        twice = packets.overlap(self._sides())
        if twice:
            raise ValueError(twice)
        single = [m for side in self._sides() for m in side if replica_of(m) is not None]
        if single and self.engine == "proxy":
            raise ValueError(
                f"all replicas of a service share its proxies: `{single[0]}` alone is cut off with"
                " `engine: netfilter`"
            )
        return self

    def _sides(self) -> list[list[str]]:
        return self.groups if self.groups is not None else [self.from_ or [], self.to or []]

    @property
    def target(self) -> str:
        sides = [", ".join(group) for group in self._sides()]
        return (" | " if self.groups is not None else " -> ").join(sides)

    def services(self) -> Sequence[str]:
        return list(dict.fromkeys(service_of(m) for group in self._sides() for m in group))

    def named_replicas(self) -> Sequence[tuple[tuple[str | int, ...], str, int | None]]:
        lists = {("groups", n): group for n, group in enumerate(self.groups or ())}
        lists |= {("from",): self.from_ or [], ("to",): self.to or []}  # type: ignore[dict-item]  # places differ in length
        return [
            ((*place, number), service_of(member), replica_of(member))
            for place, group in lists.items()
            for number, member in enumerate(group)
        ]

    def needed(self) -> Sequence[Need]:
        return ("netfilter",) if self.engine == "netfilter" else ("helper",)

    def impossible_because(self, project: Project) -> str | None:
        if self.engine == "proxy":
            return None
        return packets.impossible_because(project, self._sides())

    def proxied(self, joined: Collection[tuple[str, str]]) -> Sequence[Edge]:
        if self.engine == "netfilter":
            return ()  # packets are dropped on whatever path there is
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
        if self.engine == "netfilter":
            return Forecast(
                f"{how} {self.target}: packets dropped in the network namespace of each container",
                "remove the iptables chain of this fault from the same namespaces",
                "connections that break: TCP keeps them for minutes and goes on after the heal",
            )
        return Forecast(
            f"{how} {self.target}, new and live connections",
            "remove the toxics, which closes the connections between the groups",
            "lost TCP handshakes: connecting to a proxy still succeeds",
        )

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        if self.engine == "netfilter":
            return ()  # a canary comes from the host, which is never cut off: packets are counted
        cut = set(self._cut())
        return [proxy for proxy in stack.proxies if (proxy.client, proxy.upstream) in cut]

    def canary(self) -> Canary:
        return Canary(felt=toxics.no_word)

    async def prepare(self, stack: Stack) -> PartitionUndo:
        if self.engine == "netfilter":
            return PartitionUndo(cut=await self._packets(stack))
        proxies = self.listeners(stack)
        if not proxies:
            raise FaultFailed(f"no proxied edge crosses {self.target}")
        rows: list[ProxyRow] = []
        for proxy in proxies:
            streams: list[Stream] = ["upstream", "downstream"]
            if self.groups is None:
                # Data flows to the upstream in `upstream`, back to the client in `downstream`.
                streams = ["upstream"] if proxy.client in (self.from_ or ()) else ["downstream"]
            rows += toxics.rows_of([proxy], toxics.blackhole(self.name, *streams))
        return PartitionUndo(cut=EdgeUndo(rows=tuple(rows)))

    async def _packets(self, stack: Stack) -> PacketsUndo:
        sides = self._sides()
        flows = permutations(range(len(sides)), 2) if self.groups is not None else [(0, 1)]
        return await packets.describe(stack, self.name, sides, flows)

    async def ready(self, stack: Stack) -> None:
        if self.engine == "netfilter":
            await packets.ready(stack, await self._packets(stack))

    async def inject(self, stack: Stack, undo: PartitionUndo) -> None:
        if isinstance(undo.cut, PacketsUndo):
            await packets.inject(stack, undo.cut)
        else:
            await toxics.add(stack, undo.cut)

    @classmethod
    async def heal(cls, stack: Stack, undo: PartitionUndo) -> None:
        if isinstance(undo.cut, PacketsUndo):
            await packets.heal(stack, undo.cut)
        else:
            await toxics.remove(stack, undo.cut)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: PartitionUndo) -> Receipt:
        if isinstance(undo.cut, PacketsUndo):
            return await packets.present(stack, undo.cut)
        return await toxics.present(stack, undo.cut)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: PartitionUndo) -> Receipt:
        if isinstance(undo.cut, PacketsUndo):
            return await packets.absent(stack, undo.cut)
        return await toxics.absent(stack, undo.cut)

    async def effect(self, stack: Stack, undo: PartitionUndo) -> Receipt | None:
        return await packets.counted(stack, undo.cut) if isinstance(undo.cut, PacketsUndo) else None
