"""From a service name to an address that this process can reach."""

from __future__ import annotations

from typing import Protocol

from chaoskit.fields import Target
from chaoskit.records import ContainerState


class Routes(Protocol):
    """What probes and workloads know of the stack: addresses, and the state of containers."""

    def address(self, target: Target) -> tuple[str, int]:
        """Return (host, port) reachable from here. Raises `EnvironmentFailure`."""

    async def container_states(self, service: str) -> list[ContainerState]:
        """Return the state of every replica of a service, by replica number."""
