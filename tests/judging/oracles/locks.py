"""Locks: held by one at a time, with tokens that rise."""

from __future__ import annotations

from random import Random
from typing import Any

from chaoskit.records import Json
from tests.judging.oracles.case import (
    FREE,
    RIGHT,
    SUSPECT,
    UNSURE,
    WRONG,
    Answer,
    Call,
    Case,
    calls,
    some,
    together,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings


class Leader(App):
    """Locks with tokens."""

    bugs = ("two holders", "expires", "tokens restart", "same token", "no tokens")
    writes = ("acquire", "release")

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.keys = rng.choice((["l"], ["l"], ["l", "m"]))
        self.holder: dict[Json, int] = {}
        self.token = rng.choice((0, 10))
        self.tokens = rng.random() < 0.9
        self.mine: dict[int, tuple[Json, Json]] = {}  # what a client believes to hold

    def wish(self, slot: int) -> Wish | None:
        if slot in self.mine:
            if self.rng.random() < 0.4:
                return None
            key, token = self.mine.pop(slot)
            return ("release", key, token)
        return ("acquire", self.rng.choice(self.keys), None)

    def told(self, slot: int, op: str, key: Json, how: str, got: Json) -> None:
        if op == "acquire" and how == "ok" and self.rng.random() < 0.95:
            self.mine[slot] = (key, got)

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        if op == "release":
            if self.holder.get(key) != slot:
                return REFUSED
            del self.holder[key]
            return value
        if self.has("expires"):
            self.holder.pop(key, None)
        if key in self.holder and not self.has("two holders"):
            return REFUSED
        self.holder[key] = slot
        self.token = 0 if self.has("tokens restart") else self.token
        if not self.has("same token"):
            self.token += 1
        return None if not self.tokens or self.has("no tokens") else self.token


def cases(rng: Random) -> Case:
    lines = lines_of(rng, Leader(rng), clients=rng.randint(2, 3), count=rng.randint(5, 16))

    def lie(token: Json) -> Json:
        return rng.choice((None, 1, 2, 3))

    fields, faults = surroundings(rng, {})
    return Case(spoiled(rng, lines, ("acquire",), lie), fields, faults)


def mutual_exclusion(case: Case) -> Answer:
    """Nobody is told to have a lock while another surely holds it.

    One holds it from being told so until one begins to release it, or, if that is refused, until
    one knows: in between it is suspect, and afterwards nobody can say. So it is with a hold that is
    never released, after its first moment.
    """
    all_, inside = calls(case), window(case)
    gained = some(all_, "acquire", ok=True)
    if not any(inside(one.ended) for one in gained):
        return UNSURE
    parts: list[Answer] = [RIGHT]
    for one in gained:
        for other in gained:
            same = one.key == other.key and one.process != other.process
            if same and one.end < other.end and inside(other.ended):
                parts.append(_held(one, all_, other.end))
    return together(parts)


def _held(one: Call, all_: list[Call], place: float) -> Answer:
    """Return what it means that another got the lock at this place, after `one` had got it."""
    given_back = sorted(
        (
            release
            for release in some(all_, "release")
            if (release.key, release.process) == (one.key, one.process) and release.start > one.end
        ),
        key=lambda release: release.start,
    )
    again = [
        two.end
        for two in some(all_, "acquire", ok=True)
        if (two.key, two.process) == (one.key, one.process) and two.end > one.end
    ]
    if not given_back or (again and min(again) < given_back[0].start):
        return FREE
    release = given_back[0]
    if place < release.start:
        return WRONG
    if not release.refused:
        return RIGHT
    return SUSPECT if place < release.end else FREE


def fencing(case: Case) -> Answer:
    """A token is higher than all that were given before it was asked for, and given once."""
    all_, inside = calls(case), window(case)
    given = [one for one in some(all_, "acquire", ok=True) if one.got is not None]
    judged = [one for one in given if inside(one.ended)]
    if not judged:
        return UNSURE
    for one in judged:
        for other in given:
            if other is one or other.key != one.key:
                continue
            if other.before(one) and other.got >= one.got:
                return WRONG
            if other.got == one.got and other.end < one.end:
                return WRONG
    return RIGHT


def few_tokens(case: Case) -> bool:
    """Say whether fewer than half of the acquisitions in the window gave a token."""
    inside = window(case)
    gained = [one for one in some(calls(case), "acquire", ok=True) if inside(one.ended)]
    return 2 * sum(one.got is not None for one in gained) < len(gained)
