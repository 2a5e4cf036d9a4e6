"""`packet_loss`: a share of the packets between two services, lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from chaoskit.exchange import Canary
from chaoskit.faults.contract import Fault, Forecast, Receipt, fault
from chaoskit.faults.engines import packets
from chaoskit.faults.engines.packets import Member, PacketsUndo, replica_of, service_of
from chaoskit.fields import Percentage

if TYPE_CHECKING:
    from chaoskit.stack.project import Project
    from chaoskit.stack.stack import Stack


def _above_zero(percent: Percentage) -> Percentage:
    if percent < 0.0001:
        raise ValueError("`percent` must be at least 0.01%: less loses nothing in a run")
    return percent


@fault("packet_loss")
class PacketLoss(Fault[PacketsUndo]):
    """Lose a share of the packets between two services, both ways, each tossed on its own.

    TCP retransmits what was lost: clients feel it as delays (from 200 ms on), and with much loss as
    timeouts. On a proxied edge the packets between the client and its proxy are lost. `"chat[1]"`
    (quoted) names one replica.
    """

    undo_model = PacketsUndo
    needs = ("netfilter",)
    example = "{ at: 2s, for: 4s, fault: packet_loss, between: [chat, redis], percent: 20% }"

    between: Annotated[list[Member], Field(min_length=2, max_length=2)]
    percent: Annotated[Percentage, AfterValidator(_above_zero)]

    @model_validator(mode="after")
    def _two_ends(self) -> PacketLoss:
        twice = packets.overlap(self._sides())
        if twice:
            raise ValueError(f"`between` needs two different ends: {twice}")
        return self

    def _sides(self) -> list[list[str]]:
        return [[end] for end in self.between]

    @property
    def target(self) -> str:
        return " <-> ".join(self.between)

    def services(self) -> Sequence[str]:
        return list(dict.fromkeys(service_of(end) for end in self.between))

    def named_replicas(self) -> Sequence[tuple[tuple[str | int, ...], str, int | None]]:
        return [
            (("between", number), service_of(end), replica_of(end))
            for number, end in enumerate(self.between)
        ]

    def impossible_because(self, project: Project) -> str | None:
        return packets.impossible_because(project, self._sides())

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.percent} of the packets of {self.target} dropped as they arrive",
            "remove the iptables chain of this fault from the same namespaces",
            "bursts: every packet is tossed on its own",
        )

    def canary(self) -> Canary:
        return Canary()  # through no listener: packets are counted where they are dropped

    async def prepare(self, stack: Stack) -> PacketsUndo:
        both = [(0, 1), (1, 0)]
        return await packets.describe(stack, self.name, self._sides(), both, float(self.percent))

    async def ready(self, stack: Stack) -> None:
        await packets.ready(stack, await self.prepare(stack))

    async def inject(self, stack: Stack, undo: PacketsUndo) -> None:
        await packets.inject(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: PacketsUndo) -> None:
        await packets.heal(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: PacketsUndo) -> Receipt:
        return await packets.present(stack, undo)

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: PacketsUndo) -> Receipt:
        return await packets.absent(stack, undo)

    async def effect(self, stack: Stack, undo: PacketsUndo) -> Receipt | None:
        return await packets.counted(stack, undo)
