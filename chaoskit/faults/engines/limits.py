"""Faults that lower a limit of containers: one at a time, and back to what it was.

The engine has one limit per container, so two faults on it cannot be healed in any order: the
second one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Hold

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.faults.engines.containers import ContainersUndo
    from chaoskit.records import ContainerState
    from chaoskit.stack.stack import Stack


def holds(what: str, service: str, replica: str) -> list[Hold]:
    """Return that a fault has a limit of containers to itself."""
    reason = f"the {what} of `{service}` has one limit, which goes back to one value"
    return [Hold(what, service, replica, reason)]


def claim(
    stack: Stack,
    what: str,
    holder: str,
    hit: list[Container],
    said: str = "the {} of `{}` is limited",
) -> None:
    """Keep something of these containers for one fault; `said` is what another one does with it.
    Raises `FaultFailed` when it is taken."""
    for container in hit:
        for other in stack.claims.others(_key(what, container.state), holder):
            raise FaultFailed(f"{said.format(what, container.name)} by fault `{other}` now")
    for container in hit:
        stack.claims.hold(_key(what, container.state), holder)


def give_up(stack: Stack, what: str, undo: ContainersUndo) -> None:
    """Give up what `claim` kept."""
    for row in undo.replicas:
        stack.claims.give_up((what, undo.service, str(row.replica)), undo.holder)


def _key(what: str, state: ContainerState) -> tuple[str, str, str]:
    return what, state.service, str(state.replica)


def size_text(size: int) -> str:
    """Return a number of bytes in MiB, or KiB below one."""
    return f"{size / 1024**2:.4g} MiB" if size >= 1024**2 else f"{size / 1024:.4g} KiB"
