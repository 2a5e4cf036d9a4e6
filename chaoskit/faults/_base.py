"""What every fault shares: timing, the inject/heal/verify contract, its registration.

The order of work is always: `prepare` reads the world and returns the undo data; the undo goes to
the ledger and is fsynced; `inject` changes the world; `verify` reads it back; `heal` undoes from
the undo data alone, so another process can do it days later; `verify` reads back again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from chaoskit.fields import Duration, Edge, Model, Name, ServiceName
from chaoskit.records import Json
from chaoskit.registry import Registry

if TYPE_CHECKING:
    from chaoskit.stack.live import Stack

Undo = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was read back from the system: is the fault in force, and in which words."""

    in_force: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Effect:
    """Evidence that somebody could feel the fault, or why there is none."""

    felt: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `plan` says about a fault before anything runs."""

    hits: str
    undo: str
    not_tested: str = ""


class Fault(Model):
    """A condition: when it starts, how long it lasts, and how to inject, verify and heal it."""

    kind: ClassVar[str]
    example: ClassVar[str] = ""
    instant: ClassVar[bool] = False  # over as soon as it is injected (restart): no `for`

    fault: str
    id: Name | None = None
    at: Duration = Duration.zero()
    for_: Annotated[Duration | None, Field(alias="for")] = None

    @model_validator(mode="after")
    def _lease_makes_sense(self) -> Fault:
        if self.instant and self.for_ is not None:
            raise ValueError(f"`{self.fault}` is over at once and takes no `for`")
        if self.for_ is not None and self.for_ <= 0:
            raise ValueError("`for` must be longer than zero")
        return self

    @property
    def name(self) -> str:
        """Its id; loading gives every fault a unique one."""
        return self.id or self.fault

    @property
    def target(self) -> str:
        """What it hits, in words: a service, an edge, groups."""
        raise NotImplementedError

    def services(self) -> Sequence[str]:
        """Return every service it names, for validation."""
        raise NotImplementedError

    def edges(self) -> Sequence[Edge]:
        """Return the edges that must be behind a proxy for it."""
        return ()

    def takes_down(self) -> Sequence[str]:
        """Return the services whose containers stop running under it."""
        return ()

    def forecast(self) -> Forecast:
        raise NotImplementedError

    async def prepare(self, stack: Stack) -> Undo:
        """Read what `heal` will need. Changes nothing."""
        raise NotImplementedError

    async def inject(self, stack: Stack, undo: Undo) -> None:
        """Put the fault in force; may stop half-way, `heal` copes."""
        raise NotImplementedError

    @classmethod
    async def heal(cls, stack: Stack, undo: Undo) -> None:
        """Undo it: idempotent, also after a half-done inject, also in another process."""
        raise NotImplementedError

    @classmethod
    async def verify(cls, stack: Stack, undo: Undo) -> Receipt:
        """Read the real state back, after inject and after heal."""
        raise NotImplementedError

    async def feel(self, stack: Stack, undo: Undo, moment: str) -> None:
        """Take part in measuring the effect at `before`, `during` and `after`."""


REGISTRY: Registry[Fault] = Registry("fault", "chaoskit.faults")
fault = REGISTRY.register


class ServiceFault(Fault):
    """A fault on the containers of one service, or on one replica of it."""

    service: ServiceName
    replica: Annotated[int | None, Field(ge=1)] = None

    @property
    def target(self) -> str:
        return self.service if self.replica is None else f"{self.service}[{self.replica}]"

    def services(self) -> Sequence[str]:
        return [self.service]


class EdgeFault(Fault):
    """A fault on one edge, through its proxy."""

    edge: Edge

    @property
    def target(self) -> str:
        return str(self.edge)

    def services(self) -> Sequence[str]:
        return [self.edge.client, self.edge.upstream]

    def edges(self) -> Sequence[Edge]:
        return [self.edge]
