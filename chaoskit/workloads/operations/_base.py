"""What the three ways of doing an operation (http, redis, sql, websocket) share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeAlias

from pydantic import AfterValidator, Field, JsonValue

from chaoskit.fields import Model, Target
from chaoskit.records import Json, Outcome
from chaoskit.stack.routes import Routes

TRACE = "trace"  # among the fields of an operation, 32 hexadecimal digits; no template has it


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


class Feed(OperationSession, Protocol):
    """A session whose `run` subscribes; after that it hears what is sent."""

    @property
    def over(self) -> bool:
        """Whether its connection is gone; what came before may still be heard."""
        raise NotImplementedError

    async def next(self) -> Json:
        """Return the next message. Raises `FeedEnded`."""
        raise NotImplementedError


class FeedEnded(Exception):
    """The connection of a feed is gone; the text says how."""


Refused: TypeAlias = Annotated[
    list[JsonValue],
    Field(
        default_factory=list,
        description="Answers that say `fail`: what was asked for did not happen.",
    ),
]


class OperationModel(Model):
    """A template of one operation."""

    @property
    def target(self) -> Target:
        raise NotImplementedError

    @property
    def placeholders(self) -> frozenset[str]:
        """The names it uses in braces."""
        raise NotImplementedError

    @property
    def traced(self) -> bool:
        """Whether it tells the system the id of its trace, which comes as the field `TRACE`."""
        return False

    def asks(self) -> str:
        """Return what it asks for, as its author can find it again; empty where it is no URL."""
        return ""

    def load(self) -> None:
        """Import the client library, so that no operation has to wait for it."""

    def connect(self, routes: Routes) -> OperationSession:
        """Return a session that connects when first used."""
        raise NotImplementedError


def read_one_way(*, values: object, value: object, refused: Sequence[JsonValue]) -> None:
    """Raise `ValueError` unless at most one JSONPath says what is read, and one does for
    `refused`."""
    if values is not None and value is not None:
        raise ValueError("either `values` or `value`: a read returns a list or a single value")
    if refused and values is None and value is None:
        raise ValueError("`refused` lists answers: it needs `value`, the JSONPath of the answer")


def refuses(operation: OperationModel, answer: Json) -> bool:
    """Return whether an answer is one of the operation's `refused`.

    A store answers with a list: its only item counts as the answer, and no item as null.
    """
    refused: list[JsonValue] = getattr(operation, "refused", [])
    if not refused:
        return False
    said = [answer]
    if isinstance(answer, list) and len(answer) <= 1:
        said.append(answer[0] if answer else None)
    known = {json.dumps(value, sort_keys=True) for value in refused}  # 0 is not false
    return any(json.dumps(value, sort_keys=True) in known for value in said)


def fills(*known: str, needs: str | Sequence[str] | None = None) -> AfterValidator:
    """Return the validator of an operation whose template may use the `known` names.

    `needs` are names it has to use.
    """
    required = [needs] if isinstance(needs, str) else list(needs or ())

    def check(operation: OperationModel | None) -> OperationModel | None:
        if operation is None:
            return None
        unknown = sorted(operation.placeholders - set(known))
        if unknown:
            names = ", ".join(f"{{{name}}}" for name in known) or "none"
            raise ValueError(
                f"`{{{unknown[0]}}}` is not known here, only {names}; write `{{{{` for a brace"
            )
        missing = [name for name in required if name not in operation.placeholders]
        if missing:
            raise ValueError(f"`{{{missing[0]}}}` has to appear: every operation carries its own")
        return operation

    return AfterValidator(check)


def gives(*fields: str) -> AfterValidator:
    """Return the validator of an operation whose answer is used: one of `fields` picks it out.

    Stores need none: their answer is what they return.
    """

    def check(operation: OperationModel | None) -> OperationModel | None:
        if operation is None or not hasattr(operation, "values"):
            return operation
        if all(getattr(operation, field) is None for field in fields):
            wanted = {
                "value": "`value:`, the JSONPath of what it returns",
                "values": "`values:`, the JSONPath of the list it returns",
            }
            named = " or ".join(wanted[field] for field in fields)
            via = "websocket" if hasattr(operation, "websocket") else "http"
            raise ValueError(f"a read over {via} needs {named}")
        return operation

    return AfterValidator(check)
