"""What every workload shares: rate, clients, deadline, registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from chaoskit.fields import Duration, Model, Rate, Target
from chaoskit.registry import Registry
from chaoskit.workloads.operations import Operation


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

    def targets(self) -> Sequence[Target]:
        """Return the service ports it must reach from the host."""
        return [operation.target for operation in self.operations().values()]

    def services(self) -> Sequence[str]:
        return [target.service for target in self.targets()]


REGISTRY: Registry[Workload] = Registry("workload", "chaoskit.workloads")
workload = REGISTRY.register
