"""The `container` probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from chaoskit.fields import ServiceName
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.records import ContainerState
from chaoskit.stack.routes import Routes


@probe("container")
class ContainerProbe(Probe):
    """Ask the engine whether a service's containers run and are healthy.

    `expect` is `healthy` where the container has a health check, else `running`. `replica` looks
    at one replica only. `max_restarts` fails once a container was restarted more often.
    """

    example: ClassVar[str] = (
        "{ probe: container, service: redis, every: 500ms, expect: running, max_restarts: 0 }"
    )

    service: ServiceName
    expect: Literal["running", "healthy"] | None = None
    replica: int | None = Field(default=None, ge=1)
    max_restarts: int | None = Field(default=None, ge=0)

    def services(self) -> Sequence[str]:
        return [self.service]

    async def connect(self, routes: Routes) -> ContainerSession:
        return ContainerSession(self, routes)


class ContainerSession(Session):
    """Nothing is kept between two looks."""

    def __init__(self, probe: ContainerProbe, routes: Routes) -> None:
        self._probe = probe
        self._routes = routes

    async def observe(self) -> Observed:
        states = await self._routes.container_states(self._probe.service)
        if self._probe.replica is not None:
            states = [state for state in states if state.replica == self._probe.replica]
        if not states:
            return Observed(False, "no such container")
        for state in states:
            error = self._trouble(state)
            if error is not None:
                return Observed(False, f"{state.service}[{state.replica}] {error}")
        return Observed(True, value=max(state.restart_count for state in states))

    def _trouble(self, state: ContainerState) -> str | None:
        expect = self._probe.expect or ("running" if state.health is None else "healthy")
        if not state.running:
            return not_running(state)
        if expect == "healthy" and state.health != "healthy":
            return f"is {state.health}" if state.health else "has no health check"
        limit = self._probe.max_restarts
        if limit is not None and state.restart_count > limit:
            return f"was restarted {state.restart_count} times, not at most {limit}"
        return None

    async def close(self) -> None:
        return None


def not_running(state: ContainerState) -> str:
    """Return what a container is that does not run: `is exited (code 137)`."""
    code = f" (code {state.exit_code})" if state.status in ("exited", "dead") else ""
    return f"is {state.status}{code}"
