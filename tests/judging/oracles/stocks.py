"""Stocks: no more is sold than there was."""

from __future__ import annotations

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


class Shop(App):
    """One or two items."""

    bugs = ("oversell", "oversell", "lost", "twice", "stale", "refused but sold")
    writes = ("buy",)

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.initial = rng.choice((1, 2, 3, 6))
        self.items = rng.choice((["tea"], ["tea"], ["tea", "tin"]))
        self.left = dict.fromkeys(self.items, self.initial)
        self.views = rng.choice((["read"], ["read", "truth"]))
        self.amounts: list[Any] = rng.choice(([None], [1], [1, 2]))
        self.looks = rng.random() < 0.75

    def first(self) -> list[Wish]:
        return self.last() if self.looks else []

    def last(self) -> list[Wish]:
        return [
            (view, item, None)
            for item in self.items
            for view in self.views
            if self.rng.random() < 0.95
        ]

    def wish(self, slot: int) -> Wish | None:
        item = self.rng.choice(self.items)
        if self.rng.random() < 0.3:
            return (self.rng.choice(self.views), item, None)
        return ("buy", item, self.rng.choice(self.amounts))

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        item, amount = str(key), 1 if value is None else value
        if op != "buy":
            return self.initial if self.has("stale") else self.left[item]
        refused = self.left[item] < amount and not self.has("oversell")
        if refused and not self.has("refused but sold"):
            return REFUSED
        if not self.has("lost"):
            self.left[item] -= 2 * amount if self.has("twice") else amount
        return REFUSED if refused else value


def cases(rng: Random) -> Case:
    shop = Shop(rng)
    lines = lines_of(rng, shop, clients=rng.randint(1, 3), count=rng.randint(3, 9))

    def lie(shown: Json) -> Json:
        assert isinstance(shown, int)
        return shown + rng.choice((-2, -1, 1, 2))

    fields: dict[str, Any] = {"initial": shop.initial} if rng.random() < 0.3 else {}
    fields, faults = surroundings(rng, fields)
    return Case(spoiled(rng, lines, VIEWS, lie), fields, faults)


def _amount(one: Call) -> float:
    return 1 if one.sent is None else float(one.sent)


def never_oversold(case: Case) -> Answer:
    """Acknowledged purchases fit the stock, no read shows less than nothing, final reads fit.

    The window is about "the moments at which too much was sold or too little shown": where that
    is not one moment, or where a read ended the sale of its own item only, both answers do.
    """
    all_, inside = calls(case), window(case)
    buys, reads = some(all_, "buy"), some(all_, *VIEWS, ok=True)
    parts = [
        _picked(WRONG, [inside(read.begun), inside(read.ended)]) for read in reads if read.got < 0
    ]
    unknown = False
    for item in {buy.key for buy in buys}:
        mine = [buy for buy in buys if buy.key == item]
        begin = min(buy.start for buy in mine)
        early = [read.got for read in reads if read.key == item and read.end < begin]
        if "initial" in case.fields:
            stocks = [case.fields["initial"]]
        elif early:
            stocks = early
        else:
            unknown = True
            continue
        answers = []
        for stock in stocks:
            found = [_sold(mine, stock, inside)]
            found += [_final(read, mine, buys, stock, inside) for read in reads if read.key == item]
            answers.append(together(found))
        parts.append(either(answers))
    if unknown:
        parts.append(UNSURE)
    for item in {read.key for read in reads} - {buy.key for buy in buys}:
        shown = {read.got for read in reads if read.key == item}
        if len(shown | {case.fields.get("initial", read_) for read_ in shown}) > 1:
            parts.append(FREE)  # it changed, and nobody bought it
    return together(parts)


def _picked(answer: Answer, inside: list[bool]) -> Answer:
    if all(inside):
        return answer
    return either([answer, RIGHT]) if any(inside) else RIGHT


def _sold(mine: list[Call], stock: float, inside: Any) -> Answer:
    sold, too_many = 0.0, []
    for buy in sorted((one for one in mine if one.ok), key=lambda one: one.end):
        sold += _amount(buy)
        if sold > stock:
            too_many.append(inside(buy.ended))
    if not too_many:
        return RIGHT
    return WRONG if too_many[0] else FREE if any(too_many) else RIGHT


def _final(read: Call, mine: list[Call], buys: list[Call], stock: float, inside: Any) -> Answer:
    """Judge what a read shows after the last purchase: of all items, or at least of its own."""
    ended = [buy for buy in mine if buy.end < read.start or buy.how in ("info", "open")]
    if len(ended) < len(mine) or any(buy.start > read.start for buy in mine):
        return RIGHT
    least = sum(_amount(buy) for buy in mine if buy.ok)
    most = least + sum(_amount(buy) for buy in mine if buy.how in ("info", "open"))
    if stock - most <= read.got <= stock - least:
        return RIGHT
    surely = read.start > last_place(buys)
    return _picked(WRONG if surely else FREE, [inside(read.begun), inside(read.ended)])
