"""Counters: what is read lies between what was acknowledged and what was attempted."""

from __future__ import annotations

from random import Random
from typing import Any

from chaoskit.records import Json
from tests.judging.oracles.case import (
    RIGHT,
    SUSPECT,
    UNSURE,
    WRONG,
    Answer,
    Call,
    Case,
    allowed,
    calls,
    either,
    some,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

VIEWS = ("read", "truth")


class Visits(App):
    """One number."""

    bugs = ("forget", "twice", "stale", "reset", "refused but counted")
    writes = ("increment",)

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.initial = self.count = self.old = rng.choice((0, 0, 5))
        self.views = rng.choice((["read"], ["read", "truth"]))
        self.looks = rng.random() < 0.75
        self.amounts: list[Any] = rng.choice(([None], [1, 2], [1, 1, -1]))

    def first(self) -> list[Wish]:
        return [(view, None, None) for view in self.views] if self.looks else []

    def last(self) -> list[Wish]:
        return [] if self.rng.random() < 0.1 else [(view, None, None) for view in self.views]

    def wish(self, slot: int) -> Wish | None:
        if self.rng.random() < 0.4:
            return (self.rng.choice(self.views), None, None)
        return ("increment", None, self.rng.choice(self.amounts))

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        amount = 1 if value is None else value
        if op != "increment":
            return self.old if self.bug == "stale" and self.rng.random() < 0.4 else self.count
        if self.rng.random() < 0.1:
            self.count += amount if self.has("refused but counted") else 0
            return REFUSED
        self.old = self.count
        if self.has("reset"):
            self.count = 0
        self.count += 0 if self.has("forget") else 2 * amount if self.has("twice") else amount
        return value


def cases(rng: Random) -> Case:
    app = Visits(rng)
    lines = lines_of(rng, app, clients=rng.randint(1, 3), count=rng.randint(3, 10))

    def lie(shown: Json) -> Json:
        assert isinstance(shown, int)
        return shown + rng.choice((-2, -1, 1, 2))

    fields: dict[str, Any] = {}
    if rng.random() < 0.3:
        fields["initial"] = app.initial
    if rng.random() < 0.2 and -1 not in app.amounts:
        fields["at_most"] = rng.choice(("20%", "50%"))
    fields, faults = surroundings(rng, fields)
    return Case(spoiled(rng, lines, VIEWS, lie), fields, faults)


def _amount(one: Call) -> float:
    return 1 if one.sent is None else float(one.sent)


def counter_bounds(case: Case) -> Answer:
    """Every read in the window is between the least and the most that can have been counted.

    An increment surely counts when it was acknowledged before the read began, and surely not when
    it was refused or sent after the read had ended; all others may. Without a look before the
    first increment, and without `initial`, 0 is a guess: what does not fit it proves nothing.
    """
    all_ = calls(case)
    inside, limit = window(case), allowed(case)
    adds = some(all_, "increment")
    reads = [one for one in some(all_, *VIEWS, ok=True) if one.got is not None]
    first = min((add.start for add in adds), default=10**9)
    early = [read for read in reads if read.end < first]
    known = "initial" in case.fields or bool(early)
    starts = [case.fields["initial"]] if "initial" in case.fields else [r.got for r in early] or [0]
    judged = [read for read in reads if inside(read.begun)]
    if not judged:
        return UNSURE
    answers = []
    for start in starts:
        bad = False
        for read in judged:
            sure = [a for a in adds if a.ok and a.before(read)]
            maybe = [a for a in adds if not a.refused and a.start < read.end and a not in sure]
            base = start + sum(map(_amount, sure))
            low = base + sum(min(_amount(a), 0) for a in maybe)
            high = base + sum(max(_amount(a), 0) for a in maybe)
            slack = limit * max(sum(map(_amount, [*sure, *maybe])), 1) if limit else 0
            bad |= not low - slack - 1e-9 <= read.got <= high + slack + 1e-9
        answers.append((WRONG if known else SUSPECT) if bad else RIGHT)
    return either(answers)
