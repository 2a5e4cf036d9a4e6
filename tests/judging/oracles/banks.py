"""Banks: transfers move money, and every read shows all balances."""

from __future__ import annotations

from itertools import chain, combinations
from random import Random
from typing import Any

from chaoskit.records import Json
from tests.judging.oracles.case import (
    FREE,
    RIGHT,
    UNSURE,
    WRONG,
    Answer,
    Call,
    Case,
    calls,
    either,
    last_place,
    some,
    together,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

VIEWS = ("read", "truth")
ACCOUNTS = ("a", "b", "c")


class Bank(App):
    """Three accounts."""

    bugs = ("half", "twice", "lost", "overdraft", "skewed read", "refused but moved")
    writes = ("transfer",)

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.held: dict[str, Any] = {account: rng.randint(0, 4) for account in ACCOUNTS}
        self.total = sum(self.held.values())
        self.before = dict(self.held)
        self.views = rng.choice((["read"], ["read", "truth"]))
        self.looks = rng.random() < 0.8

    def first(self) -> list[Wish]:
        return [(view, None, None) for view in self.views] if self.looks else []

    def last(self) -> list[Wish]:
        return [] if self.rng.random() < 0.1 else [(view, None, None) for view in self.views]

    def wish(self, slot: int) -> Wish | None:
        if self.rng.random() < 0.4:
            return (self.rng.choice(self.views), None, None)
        source, target = self.rng.sample(ACCOUNTS, 2)
        return ("transfer", None, {"from": source, "to": target, "amount": self.rng.randint(1, 3)})

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        if op != "transfer":
            if self.has("skewed read"):
                return {**self.held, "a": self.before["a"]}
            return dict(self.held)
        source, target, amount = value["from"], value["to"], value["amount"]
        refused = self.held[source] < amount and not self.has("overdraft")
        if refused and not self.has("refused but moved"):
            return REFUSED
        self.before = dict(self.held)
        if self.has("lost"):
            return value
        self.held[source] -= amount
        if not self.has("half"):
            self.held[target] += amount
        if self.has("twice"):
            self.held[source] -= amount
            self.held[target] += amount
        return REFUSED if refused else value


def cases(rng: Random) -> Case:
    return _case(rng, "total")


def floor_cases(rng: Random) -> Case:
    return _case(rng, "floor")


def _case(rng: Random, field: str) -> Case:
    bank = Bank(rng)
    lines = lines_of(rng, bank, clients=rng.randint(1, 3), count=rng.randint(3, 9))

    def lie(shown: Json) -> Json:
        assert isinstance(shown, dict)
        one, other = rng.sample(ACCOUNTS, 2)
        moved = {**shown, one: shown[one] + 1}
        return rng.choice((moved, {**moved, other: moved[other] - 1}))

    fields: dict[str, Any] = {}
    if rng.random() < 0.3:
        fields[field] = bank.total if field == "total" else rng.choice((0, 1, -2))
    fields, faults = surroundings(rng, fields)
    return Case(spoiled(rng, lines, VIEWS, lie), fields, faults)


def _reads(all_: list[Call]) -> list[Call]:
    return [one for one in some(all_, *VIEWS, ok=True) if isinstance(one.got, dict)]


def conserved(case: Case) -> Answer:
    """Every read has the same sum, and in the final ones each account holds what transfers explain.

    Where each account by itself is explained, and all of them together by no set of the transfers
    in doubt, the definition is silent. It is also silent about which of several looks before the
    first transfer is the first, and about reads between the last transfer and its late `info`.
    """
    all_, inside = calls(case), window(case)
    transfers = some(all_, "transfer")
    begin = min((one.start for one in transfers), default=10**9)
    reads = _reads(all_)
    early = [read for read in reads if read.end < begin]
    total = case.fields.get("total")
    if total is None and not early:
        return UNSURE
    judged = [read for read in reads if inside(read.begun)]
    if not judged:
        return UNSURE
    totals = [total] if total is not None else [sum(_held(read).values()) for read in early]
    last = last_place(transfers)
    answers = []
    for amount in totals:
        if any(sum(_held(read).values()) != amount for read in judged):
            answers.append(WRONG)
            continue
        parts = []
        for read in judged:
            if read.start > last:
                parts += [
                    either(_fits(_held(read), _held(one), transfers) for one in early)
                ] * bool(early)
            elif all(one.before(read) or one.how in ("info", "open") for one in transfers):
                parts.append(FREE)
        answers.append(together(parts))
    return either(answers)


def _held(read: Call) -> dict[str, float]:
    assert isinstance(read.got, dict)
    return read.got


def _fits(held: dict[str, float], first: dict[str, float], transfers: list[Call]) -> Answer:
    """Try every set of the transfers in doubt."""
    sure = [one for one in transfers if one.ok]
    doubtful = [one for one in transfers if one.how in ("info", "open")]
    subsets = chain.from_iterable(combinations(doubtful, n) for n in range(len(doubtful) + 1))
    reached = [_after(first, [*sure, *some_]) for some_ in subsets]
    if held in reached:
        return RIGHT
    for account in held:
        steps = [one[account] for one in reached]
        if not min(steps) <= held[account] <= max(steps):
            return WRONG
    return FREE


def _after(first: dict[str, float], done: list[Call]) -> dict[str, float]:
    held = dict(first)
    for one in done:
        assert isinstance(one.sent, dict)
        source, target = str(one.sent["from"]), str(one.sent["to"])
        held[source] -= float(one.sent["amount"])
        held[target] += float(one.sent["amount"])
    return held


def never_negative(case: Case) -> Answer:
    """No read in the window shows an account below the floor."""
    all_, inside = calls(case), window(case)
    judged = [read for read in _reads(all_) if inside(read.begun)]
    if not judged:
        return UNSURE
    floor = case.fields.get("floor", 0)
    return WRONG if any(min(_held(read).values()) < floor for read in judged) else RIGHT
