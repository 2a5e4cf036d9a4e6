"""Routes without a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chaoskit.docker.exec import ExecResult
from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target
from chaoskit.records import ContainerState


class FixedRoutes:
    """Addresses, container states and what commands in containers do, given by hand."""

    def __init__(
        self,
        addresses: Mapping[tuple[str, int], tuple[str, int]],
        containers: Mapping[str, list[ContainerState]] | None = None,
        execute: Callable[[str, Sequence[str]], ExecResult] | None = None,
    ) -> None:
        self._addresses = addresses
        self._containers = containers or {}
        self._execute = execute

    def address(self, target: Target) -> tuple[str, int]:
        try:
            return self._addresses[target.service, target.port]
        except KeyError:
            raise EnvironmentFailure(f"no route to `{target.service}:{target.port}`") from None

    async def container_states(self, service: str) -> list[ContainerState]:
        return self._containers.get(service, [])

    async def execute(
        self, container_id: str, argv: Sequence[str], within: float, most: int
    ) -> ExecResult:
        if self._execute is None:
            raise EnvironmentFailure(f"container {container_id} is not running")
        done = self._execute(container_id, argv)
        return ExecResult(done.status, done.out[:most], done.err[:most])
