"""Queues: every message is sent once, and receives and drains take messages out."""

from __future__ import annotations

import math
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
    allowed,
    calls,
    either,
    last_place,
    share,
    some,
    text,
    together,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

TAKING = ("receive", "drain")


class Jobs(App):
    """A list, from which one or several are taken."""

    bugs = ("lose", "again", "swap", "swap", "invent", "refused but sent", "drop")
    writes = ("send", "receive", "drain")

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.waiting: list[int] = [901] if rng.random() < 0.1 else []
        self.gone: list[int] = []
        self.batch = rng.choice((0, 0, 2))  # how many one receive takes; 0: one, not in a list
        self.keys: list[Any] = rng.choice(([None], [None], ["k", "l"]))
        self.next = 0

    def last(self) -> list[Wish]:
        op = self.rng.choice(("drain", "drain", "receive"))
        times = 4 if op == "drain" or self.batch else 9
        return [(op, None, None)] * (times if self.rng.random() < 0.85 else 1)

    def wish(self, slot: int) -> Wish | None:
        if self.rng.random() < 0.35:
            return ("receive", None, None)
        self.next += 1
        return ("send", self.rng.choice(self.keys), self.next)

    def effect(self, slot: int, op: str, key: Json, value: Any) -> Any:
        if op == "send":
            return self._send(value)
        if self.waiting and self.has("drop"):
            self.waiting.pop(0)
        if len(self.waiting) > 1 and self.has("swap"):
            self.waiting.append(self.waiting.pop(0))
        many = 4 if op == "drain" else self.batch or 1
        taken, self.waiting = self.waiting[:many], self.waiting[many:]
        self.gone += taken
        if taken and self.has("invent"):
            taken[-1] = 999
        if self.gone and self.has("again"):
            self.waiting.append(self.rng.choice(self.gone))
        if op == "drain" or self.batch:
            return taken
        return taken[0] if taken else None

    def _send(self, value: Any) -> Any:
        if self.rng.random() < 0.08:
            if self.has("refused but sent"):
                self.waiting.append(value)
            return REFUSED
        if not self.has("lose"):
            self.waiting.append(value)
        return value


def _case(rng: Random, field: str) -> Case:
    lines = lines_of(rng, Jobs(rng), clients=rng.randint(1, 3), count=rng.randint(4, 11))

    def lie(taken: Json) -> Json:
        if isinstance(taken, list):
            return rng.choice(([*taken, 998], taken[1:], [*taken, *taken[-1:]], taken[::-1]))
        return rng.choice((None, 1, 2, 998))

    fields: dict[str, Any] = {}
    if field == "n" and rng.random() < 0.5:
        fields["n"] = rng.randint(1, 2)
    if field == "at_most" and rng.random() < 0.3:
        fields["at_most"] = rng.choice(("20%", "34%", "50%"))
    fields, faults = surroundings(rng, fields)
    return Case(spoiled(rng, lines, TAKING, lie), fields, faults)


def share_cases(rng: Random) -> Case:
    return _case(rng, "at_most")


def duplicate_cases(rng: Random) -> Case:
    return _case(rng, "n")


def phantom_cases(rng: Random) -> Case:
    return _case(rng, "")


def _taken(one: Call) -> list[str]:
    if one.got is None:
        return []
    return list(map(text, one.got)) if isinstance(one.got, list) else [text(one.got)]


def _deliveries(all_: list[Call]) -> list[tuple[str, Call, int]]:
    """Return every delivery in the order in which they were known: value, call, place in it."""
    found = sorted(some(all_, *TAKING, ok=True), key=lambda one: one.end)
    return [(value, one, n) for one in found for n, value in enumerate(_taken(one))]


def _first(all_: list[Call]) -> dict[str, tuple[Call, int]]:
    found: dict[str, tuple[Call, int]] = {}
    for value, one, place in _deliveries(all_):
        found.setdefault(value, (one, place))
    return found


def no_loss(case: Case) -> Answer:
    """Once the queue was seen empty after the last send, every acknowledged message was received.

    A receive without an answer may have taken one message, or as many as others took at once;
    one that began after the queue was empty has hardly taken any.
    """
    all_, inside = calls(case), window(case)
    sends = some(all_, "send")
    sent = [text(one.sent) for one in sends if one.ok and inside(one.ended)]
    if not sent:
        return UNSURE
    got = _first(all_)
    missing = len([value for value in sent if value not in got])
    doubtful = [one for one in some(all_, *TAKING) if one.how in ("info", "open")]
    lists = [one for one in some(all_, *TAKING, ok=True) if isinstance(one.got, list)]
    at_once = max(4, *(len(_taken(one)) for one in lists)) if lists else 1
    answers = []
    for late_lines in (True, False):
        last = last_place(sends, late=late_lines)
        empty = [
            one.end for one in some(all_, *TAKING, ok=True) if not _taken(one) and one.start > last
        ]
        if not empty:
            answers.append(UNSURE)
            continue
        # What began when the queue had been seen empty took nothing that was in it.
        doubt = len([one for one in doubtful if one.start < min(empty)])
        if missing <= allowed(case) * len(sent) + 1e-9:
            answers.append(RIGHT)
        elif missing - doubt <= allowed(case) * len(sent) + 1e-9:
            answers.append(UNSURE)
        elif missing - max(len(doubtful), at_once * doubt) <= allowed(case) * len(sent) + 1e-9:
            answers.append(SUSPECT)
        else:
            answers.append(WRONG)
    return either(answers)


def at_most_n_duplicates(case: Case) -> Answer:
    """Of this workload's messages, at most `n` deliveries were repetitions.

    Picked by when they were delivered: between the invocation and the completion.
    """
    all_, inside = calls(case), window(case)
    own = {text(one.sent) for one in some(all_, "send")}
    seen: set[str] = set()
    surely = maybe = judged = 0
    for value, one, _ in _deliveries(all_):
        moments = [inside(one.begun), inside(one.ended)]
        judged += any(moments)
        if value in seen and value in own:
            surely += all(moments)
            maybe += any(moments)
        seen.add(value)
    if not judged:
        return UNSURE
    limit = case.fields.get("n", 0)
    return either(WRONG if many > limit else RIGHT for many in (surely, maybe))


def order(case: Case) -> Answer:
    """Of two messages with one key, the one acknowledged before the other was sent comes first.

    Which of the two is the one out of order is not said, nor whether strangers count among all.
    """
    all_, inside = calls(case), window(case)
    sends = {text(one.sent): one for one in some(all_, "send")}
    got = _first(all_)
    pairs: set[tuple[str, str]] = set()
    doubtful: set[tuple[str, str]] = set()
    for a, b in ((a, b) for a in got for b in got if a in sends and b in sends):
        one, other = sends[a], sends[b]
        (late, n), (soon, m) = got[a], got[b]
        overtaken = soon.before(late) or (soon is late and m < n)
        if one.ok and one.before(other) and one.key == other.key and overtaken:
            (doubtful if other.refused else pairs).add((a, b))
    return either(
        _ordered(case, found, got, sends, inside, moment)
        for found in (pairs, pairs | doubtful)
        for moment in ("begun", "ended")
    )


def _ordered(
    case: Case,
    pairs: set[tuple[str, str]],
    got: dict[str, tuple[Call, int]],
    sends: dict[str, Call],
    inside: Any,
    moment: str,
) -> Answer:
    def here(value: str) -> bool:
        return bool(inside(getattr(got[value][0], moment)))

    late = {a for a, _ in pairs if here(a)}
    soon = {b for a, b in pairs if here(b) and here(a)}
    least = min(len(late), len(soon)) if soon else len(late)
    judged = [value for value in got if here(value)]
    own = [value for value in judged if value in sends]
    if not late:
        return either([UNSURE if not of else RIGHT for of in (own, judged)])
    if not allowed(case):
        return WRONG
    return share(case, [max(least, 1), len(late), len(late | soon)], [len(own), len(judged)])


def too_few_to_have_an_order(case: Case) -> bool:
    """Say whether fewer than two of this workload's messages were received in the window."""
    all_, inside = calls(case), window(case)
    own = {text(one.sent) for one in some(all_, "send")}
    here = [
        value
        for value, (one, _) in _first(all_).items()
        if value in own and (inside(one.begun) or inside(one.ended))
    ]
    return len(here) < 2


def no_phantoms(case: Case) -> Answer:
    """What is received was sent and not refused, or received before the first send.

    Nobody can look at what a queue holds, so a stranger may have waited in it: suspect.
    """
    all_, inside = calls(case), window(case)
    sends = {text(one.sent): one for one in some(all_, "send")}
    first = min((one.start for one in sends.values()), default=math.inf)
    parts: list[Answer] = []
    for value, (one, _) in _first(all_).items():
        send = sends.get(value)
        if one.end < first:
            continue
        moments = [one.begun, one.ended]
        if send is None:
            answer = SUSPECT if one.start > first else FREE
        elif send.start > one.end:
            answer = FREE  # received before it was sent
        elif send.refused:
            answer, moments = WRONG, [send.ended]
        else:
            continue
        if all(map(inside, moments)):
            parts.append(answer)
        elif any(map(inside, moments)):
            parts.append(either([answer, RIGHT]))
    return together(parts)
