"""What every workload shares: rate, clients, deadline, what it generates, registration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar, Protocol

from pydantic import Field

from chaoskit.fields import Duration, Model, Rate, Target
from chaoskit.records import Json
from chaoskit.registry import Registry
from chaoskit.workloads.operations import Operation


@dataclass(frozen=True, slots=True)
class Step:
    """One operation to do: which, what its template is filled with, what the history says.

    `fields` need not hold `id`: the driver adds it.
    """

    op: str
    write: bool
    key: Json = None
    value: Json = None
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """Operations at a rate, in operations per second; the first is due `offset` seconds in.

    `next` gets the workload's random numbers and the number of the process that will do it.
    """

    rate: float
    next: Callable[[Random, int], Step]
    offset: float = 0.0


class Generator(Protocol):
    """What the clients of one run do. Made anew for each run; the same seed does the same."""

    def streams(self) -> Sequence[Stream]:
        """Return what is done during the run; its streams share the clients."""

    def views(self) -> Sequence[Step]:
        """Return one read of every view: done before the first write, and after the run."""

    def returned(self, step: Step, value: Json) -> Json:
        """Return what the history says that an `ok` operation returned.

        Raises `ValueError` when an answer has the wrong shape; a read is then `fail`.
        """


class Workload(Model):
    """Clients that write and read through the app; every operation goes to the history."""

    kind: ClassVar[str]
    example: ClassVar[str] = ""

    workload: str
    rate: Rate = Rate(20)
    clients: int = Field(default=4, ge=1, le=256)
    timeout: Duration = Duration(2)

    def operations(self) -> Mapping[str, Operation]:
        """Return its operations by name, as they appear in the history."""
        raise NotImplementedError

    def generator(self, name: str, seed: int) -> Generator:
        """Return what the clients of one run do; `name` is the workload's own in the scenario."""
        raise NotImplementedError

    def targets(self) -> Sequence[Target]:
        """Return the service ports it must reach from the host."""
        return [operation.target for operation in self.operations().values()]

    def services(self) -> Sequence[str]:
        return [target.service for target in self.targets()]


REGISTRY: Registry[Workload] = Registry("workload", "chaoskit.workloads")
workload = REGISTRY.register
