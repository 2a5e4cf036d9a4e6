"""What the three ways of doing an operation (http, redis, sql) share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import AfterValidator

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
        """Close at once, also in the middle of an operation that ran past its deadline; what is
        still running after that is cancelled by the caller."""


class OperationModel(Model):
    """A template of one operation."""

    @property
    def target(self) -> Target:
        raise NotImplementedError

    @property
    def placeholders(self) -> frozenset[str]:
        """The names it uses in braces."""
        raise NotImplementedError

    def load(self) -> None:
        """Import the client library, so that no operation has to wait for it."""

    def connect(self, routes: Routes) -> OperationSession:
        """Return a session that connects when first used."""
        raise NotImplementedError


def fills(*known: str, needs: str | None = None) -> AfterValidator:
    """Return the validator of an operation whose template may use the `known` names.

    `needs` is a name it has to use.
    """

    def check(operation: OperationModel | None) -> OperationModel | None:
        if operation is None:
            return None
        unknown = sorted(operation.placeholders - set(known))
        if unknown:
            names = ", ".join(f"{{{name}}}" for name in known) or "none"
            raise ValueError(
                f"`{{{unknown[0]}}}` is not known here, only {names}; write `{{{{` for a brace"
            )
        if needs is not None and needs not in operation.placeholders:
            raise ValueError(f"`{{{needs}}}` has to appear: every operation carries its own")
        return operation

    return AfterValidator(check)
