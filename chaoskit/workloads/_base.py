"""What every workload shares: rate, clients, deadline, what it generates, registration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from chaoskit.fields import Duration, Model, Rate, Target
from chaoskit.numeric import TOLERANCE
from chaoskit.records import Json, Outcome
from chaoskit.registry import Registry
from chaoskit.workloads.operations._base import OperationModel


@dataclass(frozen=True, slots=True)
class Step:
    """One operation to do: which, what its template is filled with, what the history says.

    `fields` need not hold `id`: the driver adds it. A `write` changes something, so doubt about it
    stays doubt; a read that gave nothing changed nothing. `counted` writes are what a scenario
    waits for with `acknowledged`.
    """

    op: str
    write: bool
    key: Json = None
    value: Json = None
    fields: Mapping[str, Json] = field(default_factory=dict)
    counted: bool = True


@dataclass(frozen=True, slots=True)
class NextStep:
    """What the same client does next, `delay` seconds after the step before it ended."""

    step: Step
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Stream:
    """Operations at a rate, in operations per second; the first is due `offset` seconds in.

    `next` gets the workload's random numbers and the place of the client that will do it; None
    leaves this one out. Over the first `ramp` seconds the rate rises linearly from zero.
    """

    rate: float
    next: Callable[[Random, int], Step | None]
    offset: float = 0.0
    ramp: float = 0.0

    def due(self, count: int) -> float:
        """Return when operation `count` is due, in seconds after the start; the first is 0."""
        if count < self._climbed:
            return self.offset + math.sqrt(2 * count * self.ramp / self.rate)
        return self.offset + self.ramp + (count - self._climbed) / self.rate

    def count(self, elapsed: float) -> int:
        """Return how many operations are due before `elapsed` seconds after the start."""
        since = max(elapsed - self.offset, 0.0)
        if since < self.ramp:
            return math.ceil(self.rate * since * since / (2 * self.ramp) - TOLERANCE)
        return math.ceil(self._climbed + (since - self.ramp) * self.rate - TOLERANCE)

    @property
    def _climbed(self) -> float:
        """How many operations are due while the rate still rises."""
        return self.rate * self.ramp / 2


class Generator(Protocol):
    """What the clients of one run do. Made once for each run; the same seed does the same."""

    def streams(self) -> Sequence[Stream]:
        """Return what is done during the run; its streams share the clients."""
        raise NotImplementedError

    def views(self, *, final: bool) -> Sequence[Step]:
        """Return one read of every view: before the first write, and (`final`) after the run.

        Reads of one operation stand together; the clients share them.
        """
        return []

    def returned(self, step: Step, value: Json) -> Json:
        """Return what the history says that an `ok` operation returned.

        Raises `ValueError` when an answer has the wrong shape; a read is then `fail`, a write
        `info`.
        """
        return step.value

    def ended(self, step: Step, outcome: Outcome, value: Json) -> NextStep | None:
        """Take note of how a step ended; return what its client has to do right after it."""
        return None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A client that only listens. `number` tells it from the others; `key` is None for all keys."""

    number: int
    key: Json
    subscribe: Step


@runtime_checkable
class SubscriberGenerator(Protocol):
    """A generator whose workload has subscribers in addition to its clients.

    `reconnect` is how many seconds a subscriber waits before it connects again.
    """

    reconnect: float

    def subscribers(self) -> Sequence[Subscriber]:
        """Return who listens; each `subscribe` step opens a feed."""
        raise NotImplementedError

    def heard(self, subscriber: Subscriber, message: Json) -> tuple[Json, Json] | None:
        """Return (key, value) of a message; None when it is not an event."""
        raise NotImplementedError

    def resyncs(self, subscriber: Subscriber) -> Sequence[Step]:
        """Return what a subscriber does after it connected again."""
        raise NotImplementedError

    def complete(self) -> bool:
        """Return whether every subscriber heard, or read back, all it should."""
        raise NotImplementedError


class Workload(Model):
    """Clients that write and read through the app; every operation goes to the history."""

    kind: ClassVar[str]
    example: ClassVar[str] = ""

    workload: str
    rate: Rate = Rate(20)
    ramp: Annotated[
        Duration, Field(description="The rate rises linearly from zero over this time.")
    ] = Duration.zero()
    clients: int = Field(default=4, ge=1, le=256)
    timeout: Duration = Duration(2)

    def operations(self) -> Mapping[str, OperationModel]:
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
