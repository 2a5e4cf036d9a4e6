"""From a service name to an address that this process can reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target
from chaoskit.records import ContainerState


class Routes(Protocol):
    """What probes and workloads know of the stack: addresses, and the state of containers."""

    def address(self, target: Target) -> tuple[str, int]:
        """Return (host, port) reachable from here. Raises `EnvironmentFailure`."""

    async def container_states(self, service: str) -> list[ContainerState]:
        """Return the state of every replica of a service, by replica number."""


class FixedRoutes:
    """Routes given by hand: what tests use, and what needs no engine."""

    def __init__(
        self,
        addresses: Mapping[tuple[str, int], tuple[str, int]],
        containers: Mapping[str, list[ContainerState]] | None = None,
    ) -> None:
        self._addresses = addresses
        self._containers = containers or {}

    def address(self, target: Target) -> tuple[str, int]:
        try:
            return self._addresses[target.service, target.port]
        except KeyError:
            raise EnvironmentFailure(f"no route to `{target.service}:{target.port}`") from None

    async def container_states(self, service: str) -> list[ContainerState]:
        return self._containers.get(service, [])
