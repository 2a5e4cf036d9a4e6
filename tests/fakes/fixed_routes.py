"""Routes without a stack."""

from __future__ import annotations

from collections.abc import Mapping

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target
from chaoskit.records import ContainerState


class FixedRoutes:
    """Addresses and container states given by hand."""

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
