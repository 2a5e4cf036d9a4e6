"""Which keys operations go to: how many, how they are called, how often each is hit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from random import Random, SystemRandom
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from chaoskit.records import Json
from chaoskit.workloads._base import Step
from chaoskit.workloads.operations._base import OperationModel

FIRST = 1_000_000  # out of the way of what a stack is seeded with
LAST = 2_000_000_000  # and what fits into 32 bits, with room to rise

Key: TypeAlias = int | str
Distribution: TypeAlias = Literal["uniform", "zipf"]


def _distinct(keys: int | list[Key]) -> int | list[Key]:
    if isinstance(keys, list):
        for key in keys:
            if [str(other) for other in keys].count(str(key)) > 1:
                raise ValueError(f"`{key}` is listed twice")
    return keys


Keys: TypeAlias = Annotated[
    Annotated[int, Field(ge=1, le=10_000)]
    | Annotated[list[int | str], Field(min_length=1, max_length=10_000)],
    AfterValidator(_distinct),
    Field(description="How many, or the list of their names."),
]


def count(keys: int | list[Key]) -> int:
    """Return how many keys there are."""
    return len(keys) if isinstance(keys, list) else keys


def names(keys: int | list[Key], first: int = 1) -> list[Key]:
    """Return the keys: those listed, or numbers from `first` on."""
    return list(keys) if isinstance(keys, list) else list(range(first, first + keys))


def first_number(name: str, seed: int) -> int:
    """Return where the generated numbers of a workload start; it differs between seeds."""
    return FIRST + Random(f"{seed} {name}").randrange(900_000)


class Numbers:
    """Whole numbers that were never used before, rising by one.

    In an empty store the same seed gives the same numbers. Where a read before the first of them
    shows some that an earlier run may have left, they begin somewhere else, at random: only part of
    what is there may have been shown.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._next = first_number(name, seed)
        self._begun = False

    def saw(self, values: Json) -> None:
        """Take note of what a read returned."""
        if self._begun or not isinstance(values, list):
            return
        if any(isinstance(value, int) and FIRST <= value < LAST for value in values):
            self._next = SystemRandom().randrange(2 * FIRST, LAST)

    def take(self) -> int:
        self._begun = True
        self._next += 1
        return self._next - 1


def name_keys(operations: Mapping[str, OperationModel]) -> None:
    """Raise `ValueError` for an operation that cannot say which of several keys it means."""
    for op, operation in operations.items():
        if "key" not in operation.placeholders:
            raise ValueError(f"`{{key}}` has to appear in `{op}`: there are several keys")


class Choice:
    """Picks places at random: each as often as the next, or place n in proportion to 1/n."""

    def __init__(self, places: Sequence[int], distribution: Distribution) -> None:
        self._places = places
        weights = [1 / (place + 1) if distribution == "zipf" else 1.0 for place in places]
        self._cumulative = list(itertools.accumulate(weights))

    def pick(self, rng: Random) -> int:
        """Return one of the places."""
        return rng.choices(self._places, cum_weights=self._cumulative)[0]


class Pool:
    """Keys that may be written, one at each place.

    A generated key that is retired leaves its place to a new one, which may be written once it was
    read: checks want to know how a key began. A listed key leaves its place empty.
    """

    def __init__(self, keys: int | list[Key], first: int) -> None:
        self.live: list[Key | None] = [*names(keys, first)]
        self.newest = [*names(keys, first)]  # the last key that each place had
        self._fresh = None if isinstance(keys, list) else itertools.count(first + keys)
        self._places = {key: place for place, key in enumerate(self.newest)}
        self._unread: dict[Key, int] = {}  # new keys that nobody has read, with their places
        self._used: dict[Key, None] = {}  # acknowledged writes; in order, without repetition

    @property
    def generated(self) -> bool:
        return self._fresh is not None

    def used(self, key: Key) -> None:
        """Take note of an acknowledged write: such a key is read to the end."""
        self._used[key] = None

    def retire(self, key: Key) -> Key | None:
        """Never offer a key again. Return the new key in its place, which is to be read first."""
        place = self._places.pop(key, None)
        if place is None:
            return None
        self.live[place] = None
        if self._fresh is None:
            return None
        fresh = self.newest[place] = next(self._fresh)
        self._unread[fresh] = self._places[fresh] = place
        return fresh

    def was_read(self, key: Key) -> None:
        """Take note of a read of a key, good or not: a new one may be written now."""
        place = self._unread.pop(key, None)
        if place is not None:
            self.live[place] = key

    def to_read(self) -> list[Key]:
        """Return the keys whose last state matters; a retired one only if it was written."""
        return list(dict.fromkeys([*self._used, *self.newest]))


def reads(ops: Sequence[str], keys: Sequence[Key]) -> list[Step]:
    """Return one read of every key through every view."""
    return [read(op, key) for op in ops for key in keys]


def read(op: str, key: Key) -> Step:
    return Step(op, write=False, key=key, fields={"key": key})
