"""Which replicas of a service a fault hits: one by its number, any one, a share, or all."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from chaoskit.errors import FaultFailed
from chaoskit.fields import Percentage

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Replica:
    """A choice of replicas: `2`, `any`, or `50%`; chosen by the run's seed where it leaves open
    which. With neither a number nor a share it is any one."""

    number: int | None = None
    share: Percentage | None = None

    @classmethod
    def parse(cls, value: object) -> Replica:
        """Parse what a scenario says. Raises `ValueError`."""
        if isinstance(value, cls):
            return value
        if value == "any":
            return cls()
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST:
            return cls(number=value)
        if isinstance(value, str) and re.fullmatch(Percentage.json_pattern, value):
            share = Percentage.parse(value)
            if share <= 0:
                raise ValueError("the share of replicas must be above 0%")
            return cls(share=share)
        raise ValueError(
            f"`{value}` is no choice of replicas:"
            f" write a number from 1 to {_MOST}, `any`, or a share such as 50%"
        )

    @property
    def plain(self) -> int | str:
        """The value as a scenario writes it."""
        if self.number is not None:
            return self.number
        return "any" if self.share is None else str(self.share)

    def __str__(self) -> str:
        return str(self.plain)

    def choose(self, found: Sequence[Container], seed: str) -> list[Container]:
        """Return the chosen containers, by number; the same seed chooses the same ones.

        A share is rounded to whole replicas, at least one. What is not named by its number is
        chosen among those that run now. Raises `FaultFailed` when none can be chosen.
        """
        service = found[0].state.service
        if self.number is not None:
            chosen = [one for one in found if one.state.replica == self.number]
            if not chosen:
                raise FaultFailed(f"`{service}[{self.number}]` has no container")
            return chosen
        running = [one for one in found if one.state.running]
        if not running:
            raise FaultFailed(f"no replica of `{service}` is running")
        count = 1 if self.share is None else max(1, int(self.share * len(running) + 0.5))
        picked = random.Random(seed).sample(running, count)
        return sorted(picked, key=lambda one: one.state.replica)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda one: one.plain),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST},
                {"const": "any"},
                {"type": "string", "pattern": Percentage.json_pattern},
            ],
            "examples": [2, "any", "50%"],
        }
