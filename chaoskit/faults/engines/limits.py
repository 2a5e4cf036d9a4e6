"""Faults that lower a limit of containers: one at a time, and back to what it was.

The engine has one limit per container, so two faults on it cannot be healed in any order: the
second one is refused. The rows of the undo data hold the limits read before, None for unlimited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chaoskit.docker.limits import Limits
from chaoskit.errors import FaultFailed

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.faults.contract import Undo
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


def release(stack: Stack, what: str, undo: Undo) -> None:
    """Give up what `claim` kept."""
    for key, holder in list(stack.claims.items()):
        if key[:2] == (what, undo["service"]) and holder == undo["holder"]:
            del stack.claims[key]


def before(row: Mapping[str, Any]) -> Limits:
    """Return the limits that a container had before, from its row of the undo data."""
    return Limits(**row["limits"])


def mib(size: int) -> str:
    """Say a number of bytes in MiB."""
    return f"{size / 1024**2:.4g} MiB"
