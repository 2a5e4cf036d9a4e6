"""From a service name to an address that this process can reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from chaoskit.docker.exec import ExecResult
from chaoskit.fields import Target
from chaoskit.records import ContainerState


class Routes(Protocol):
    """What probes and workloads know of the stack: addresses, containers and what runs in them."""

    def address(self, target: Target) -> tuple[str, int]:
        """Return (host, port) reachable from here. Raises `EnvironmentFailure`."""

    async def container_states(self, service: str) -> list[ContainerState]:
        """Return the state of every replica of a service, by replica number."""

    async def execute(
        self, container_id: str, argv: Sequence[str], within: float, most: int
    ) -> ExecResult:
        """Run a command in a container and return how it ended, with `most` bytes of each of its
        streams. Raises `EnvironmentFailure` where none can be run, `NoSuchContainer`."""
