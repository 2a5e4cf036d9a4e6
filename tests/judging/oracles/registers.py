"""Registers: one order of all calls must explain every answer. All orders are tried."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

from chaoskit.records import Json
from tests.judging.oracles.case import (
    FREE,
    RIGHT,
    WRONG,
    Answer,
    Call,
    Case,
    calls,
    either,
    some,
    together,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

NOBODY_KNOWS = "nobody knows"  # the value of a key before anybody looked


class Cell(App):
    """A few keys that hold a value each."""

    bugs = ("stale", "lost write", "blind cas", "goes back", "refused but stored")
    writes = ("write", "cas")

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.initial: Json = rng.choice((None, None, 0))
        self.now: dict[Json, Json] = {}
        self.old: dict[Json, Json] = {}
        self.keys = rng.choice((["a"], ["a"], ["a", "b"]))
        self.cas = rng.random() < 0.5
        self.unique = rng.random() < 0.5
        self.next = 0
        self.looks = rng.random() < 0.4

    def first(self) -> list[Wish]:
        return [("read", key, None) for key in self.keys] if self.looks else []

    def last(self) -> list[Wish]:
        return [("read", key, None) for key in self.keys if self.rng.random() < 0.6]

    def wish(self, slot: int) -> Wish | None:
        key = self.rng.choice(self.keys)
        op = self.rng.choice(["read", "write", *(["cas"] if self.cas else [])])
        if op == "cas":
            old = self.now.get(key, self.initial) if self.rng.random() < 0.6 else self._value()
            return (op, key, [old, self._value()])
        return (op, key, self._value() if op == "write" else None)

    def _value(self) -> Json:
        self.next += 1
        return self.next if self.unique else self.rng.randrange(3)

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        now = self.now.get(key, self.initial)
        if op == "read":
            return self.old.get(key, self.initial) if self.has("stale") else now
        if op == "cas" and now != value[0] and not self.has("blind cas"):
            return REFUSED
        sent = value[1] if op == "cas" else value
        if self.has("lost write"):
            return value
        if self.has("goes back"):
            self.old[key] = sent
            return value
        self.old[key], self.now[key] = now, sent
        if op == "write" and self.has("refused but stored"):
            return REFUSED
        return value


def cases(rng: Random) -> Case:
    app = Cell(rng)
    lines = lines_of(rng, app, clients=rng.randint(1, 4), count=rng.randint(3, 7))
    fields: dict[str, Any] = {}
    if rng.random() < 0.3:
        fields["initial"] = app.initial
    fields, faults = surroundings(rng, fields, windows=False)
    values = (None, 0, 1, 2, 3)
    return Case(spoiled(rng, lines, ("read",), lambda _: rng.choice(values)), fields, faults)


def linearizable(case: Case) -> Answer:
    """Some order of the calls of each key explains them all.

    A key begins with `initial`, or with what a read showed that had ended before its first write
    that was not refused, or with null; where a look came, but not surely before, any value goes.
    """
    all_ = some(calls(case), "read", "write", "cas")
    return together(_of_key([one for one in all_ if one.key == key], case) for key in _keys(all_))


def _keys(all_: list[Call]) -> set[Json]:
    return {one.key for one in all_}


def _of_key(mine: list[Call], case: Case) -> Answer:
    happened = [one for one in mine if not one.refused and (one.op != "read" or one.ok)]
    if "initial" in case.fields:
        return RIGHT if _explained(happened, case.fields["initial"]) else WRONG
    first = min((one.start for one in happened if one.op != "read"), default=10**9)
    early = [one for one in happened if one.op == "read" and one.end < first]
    if early:
        look = min(early, key=lambda one: one.end)
        refused = [one for one in mine if one.refused and one.start < look.end]
        if look.got in [one.sent[1] if isinstance(one.sent, list) else one.sent for one in refused]:
            return FREE  # it was refused, and yet it is there: by then, or from the start
        return RIGHT if _explained(happened, look.got) else WRONG
    by_null = _explained(happened, None)
    by_any = any(_explained(happened, one.got) for one in happened if one.op == "read")
    return either([RIGHT if by_null else FREE if by_any else WRONG])


def _explained(happened: list[Call], initial: Json) -> bool:
    """Say whether an order exists: put down next whichever call nobody had to come before."""
    must = frozenset(n for n, one in enumerate(happened) if one.ok)

    @cache
    def possible(left: frozenset[int], state: str) -> bool:
        if not left & must:
            return True
        for n in left:
            if any(happened[m].ok and happened[m].before(happened[n]) for m in left):
                continue
            after = _after(happened[n], json.loads(state))
            if after is not None and possible(left - {n}, after):
                return True
        return False

    return possible(frozenset(range(len(happened))), json.dumps(initial))


def _after(one: Call, state: Json) -> str | None:
    """Return the state after a call in JSON, or None where the call does not fit."""
    if one.op == "write":
        return json.dumps(one.sent)
    if one.op == "read":
        return json.dumps(state) if one.got == state else None
    assert isinstance(one.sent, list)
    return json.dumps(one.sent[1]) if one.sent[0] == state else None


def read_after_write(case: Case) -> bool:
    """Say whether a read, or a cas, looked at a key after a write to it."""
    all_ = calls(case)
    return any(
        write.start < look.end and write.id != look.id
        for write in some(all_, "write", "cas", ok=True)
        for look in some(all_, "read", "cas", ok=True)
        if look.key == write.key
    )
