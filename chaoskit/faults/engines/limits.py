"""Faults that lower a limit of containers: one at a time, and back to what it was.

The engine has one limit per container, so two faults on it cannot be healed in any order: the
second one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.errors import FaultFailed

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.faults.engines.containers import ContainersUndo
    from chaoskit.stack.stack import Stack


def claim(stack: Stack, what: str, holder: str, hit: list[Container]) -> None:
    """Keep a limit of these containers for one fault. Raises `FaultFailed` when it is taken."""
    keys = [(what, c.state.service, str(c.state.replica)) for c in hit]
    for key, container in zip(keys, hit, strict=True):
        other = stack.claims.get(key, holder)
        if other != holder:
            raise FaultFailed(f"the {what} of `{container.name}` is limited by fault `{other}` now")
    for key in keys:
        stack.claims[key] = holder


def release(stack: Stack, what: str, undo: ContainersUndo) -> None:
    """Give up what `claim` kept."""
    for key, holder in list(stack.claims.items()):
        if key[:2] == (what, undo.service) and holder == undo.holder:
            del stack.claims[key]


def mib(size: int) -> str:
    """Say a number of bytes in MiB."""
    return f"{size / 1024**2:.4g} MiB"
