"""What every part of the engine's client shares: how it makes a call, and how calls fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from chaoskit.errors import EnvironmentFailure, FaultFailed

T = TypeVar("T")


class Call(Protocol):
    """Runs a blocking call of the engine in a thread, with a deadline, and translates its errors.

    Raises `EngineGone`, `NoSuchContainer`, and `EnvironmentFailure` for every other refusal.
    """

    def __call__(self, what: str, function: Callable[[], T], /) -> Awaitable[T]: ...


class EngineGone(EnvironmentFailure):
    """The Docker engine does not answer."""


class NoSuchContainer(FaultFailed):
    """A container that should be there is not."""
