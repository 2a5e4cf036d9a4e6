"""What the three ways of doing an operation (http, redis, sql) share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chaoskit.fields import Model, Target
from chaoskit.records import Json, Outcome
from chaoskit.stack.routes import Routes


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation came to. `value` is what a read returned (a list for a set's read)."""

    outcome: Outcome
    value: Json = None
    error: str | None = None


class OperationSession(Protocol):
    """One client's connection. Used by one operation at a time."""

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        """Fill the template with `fields` (`{value}`, `{key}`, ...), send it, classify the answer.

        Refused before sending and 4xx are `fail`; 5xx, reset, EOF and every doubt are `info`.
        The caller enforces the deadline and turns failed reads into `fail`.
        """

    async def close(self) -> None:
        """Close at once, also in the middle of an operation that ran past its deadline."""


class OperationModel(Model):
    """A template of one operation."""

    @property
    def target(self) -> Target:
        raise NotImplementedError

    def connect(self, routes: Routes) -> OperationSession:
        """Return a session that connects when first used."""
        raise NotImplementedError
