"""The bounds on a number that a probe saw: `at_least`, `at_most`, `equals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import JsonValue, model_validator

from chaoskit.checks._base import ProbeCheck
from chaoskit.checks.histories.operations import number, plain
from chaoskit.numeric import TOLERANCE
from chaoskit.records import Json, Sample


class BoundedCheck(ProbeCheck):
    """A check of a probe's value against a bound. `equals` may also be text."""

    at_least: int | float | None = None
    at_most: int | float | None = None
    equals: JsonValue = None

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None and self.equals is None:
            raise ValueError("give at least one of `at_least`, `at_most`, `equals`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("`at_least` is above `at_most`")
        return self

    @property
    def bound(self) -> str:
        parts = []
        if self.equals is not None:
            parts.append(f"= {self.equals}")
        if self.at_least is not None:
            parts.append(f">= {plain(self.at_least)}")
        if self.at_most is not None:
            parts.append(f"<= {plain(self.at_most)}")
        return ", ".join(parts)

    def valued(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return the samples with a value: also one that a bound of its own probe made fail."""
        return [sample for sample in samples if sample.value is not None]

    def holds(self, value: Json) -> bool:
        """Return whether one value is inside the bounds."""
        found = number(value)
        if self.equals is not None:
            wanted = number(self.equals)
            if wanted is None or found is None:
                return value == self.equals
            if abs(found - wanted) > TOLERANCE:
                return False
        if self.at_least is None and self.at_most is None:
            return True
        if found is None:
            return False
        above_low = self.at_least is None or found >= self.at_least - TOLERANCE
        return above_low and (self.at_most is None or found <= self.at_most + TOLERANCE)
