"""Sets: every value is added once, and views show all values."""

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
    either,
    last_place,
    share,
    some,
    text,
    together,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

VIEWS = ("read", "truth")


class Members(App):
    """Stores members in a list; `read` may come from a cache."""

    bugs = ("forget", "hide", "lose", "double", "invent", "refused but stored", "stale")
    writes = ("add",)

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.stored: list[int] = [901] if rng.random() < 0.3 else []
        self.cached = list(self.stored)
        self.views = rng.choice((["read"], ["read", "truth"], ["read", "truth"]))
        self.looks = rng.random() < 0.75
        self.texts = rng.random() < 0.2
        self.next = 1

    def first(self) -> list[Wish]:
        return [(view, None, None) for view in self.views] if self.looks else []

    def last(self) -> list[Wish]:
        if self.rng.random() < 0.1:
            return []
        times = self.rng.choice((1, 1, 2))
        return [(view, None, None) for _ in range(times) for view in self.views]

    def wish(self, slot: int) -> Wish | None:
        if self.rng.random() < 0.3:
            return (self.rng.choice(self.views), None, None)
        self.next += 1
        return ("add", None, self.next)

    def effect(self, slot: int, op: str, key: Json, value: Json) -> Any:
        if op == "add":
            return self._add(value)
        shown = list(self.cached if op == "read" and self.bug == "stale" else self.stored)
        if self.rng.random() < 0.5:
            self.cached = list(self.stored)
        if shown and op == "read" and self.has("hide"):
            shown.pop()
        if self.has("invent"):
            shown.append(999)
        if shown and self.has("double"):
            shown.append(shown[0])
        return list(map(str, shown)) if op == "truth" and self.texts else shown

    def _add(self, value: Any) -> Any:
        if self.stored and self.has("lose"):
            self.stored.pop(self.rng.randrange(len(self.stored)))
        if self.rng.random() < 0.1:
            if self.has("refused but stored"):
                self.stored.append(value)
            return REFUSED
        if not self.has("forget"):
            self.stored.append(value)
        if self.has("double"):
            self.stored.append(value)
        return value


def cases(rng: Random) -> Case:
    lines = lines_of(rng, Members(rng), clients=rng.randint(1, 3), count=rng.randint(3, 9))

    def lie(shown: Json) -> Json:
        assert isinstance(shown, list)
        return rng.choice(([*shown, 998], shown[1:], [*shown, *shown[-1:]], [2, *shown]))

    fields: dict[str, Any] = {}
    if rng.random() < 0.3:
        fields["at_most"] = rng.choice(("20%", "34%", "50%"))
    fields, faults = surroundings(rng, fields)
    return Case(spoiled(rng, lines, VIEWS, lie), fields, faults)


def phantom_cases(rng: Random) -> Case:
    case = cases(rng)
    fields = {name: value for name, value in case.fields.items() if name != "at_most"}
    return Case(case.lines, fields, case.faults)


def _reads(all_: list[Call]) -> list[Call]:
    return [one for one in some(all_, *VIEWS, ok=True) if isinstance(one.got, list)]


def _shown(read: Call) -> list[str]:
    assert isinstance(read.got, list)
    return list(map(text, read.got))


def no_loss(case: Case) -> Answer:
    """An acknowledged value is in the last final read of every view.

    Whether a read is final when only the `info` line of an old add came after it, and which of two
    overlapping final reads is the last, is not said.
    """
    all_ = calls(case)
    adds, inside = some(all_, "add"), window(case)
    acknowledged = {text(add.sent) for add in adds if add.ok and inside(add.ended)}
    views = {one.op for one in some(all_, *VIEWS)}
    answers = []
    for late in (True, False):
        after = last_place(adds, late=late)
        for order in ("start", "end"):
            lost: set[str] = set()
            seen = set()
            for view in views:
                final = [r for r in _reads(all_) if r.op == view and r.start > after]
                if final:
                    seen.add(view)
                    newest = max(final, key=lambda read: getattr(read, order))
                    lost |= acknowledged - set(_shown(newest))
            answer = share(case, [len(lost)], [len(acknowledged)])
            if answer != WRONG and (seen != views or not views):
                answer = UNSURE
            answers.append(answer)
    return either(answers)


def no_duplicates(case: Case) -> Answer:
    """No value of this workload is twice in one good read, but for a share of the stored ones.

    Values are picked by when they were added; for one that was not acknowledged that is between
    its invocation and its end.
    """
    all_ = calls(case)
    inside = window(case)
    surely, maybe = set(), set()
    for add in some(all_, "add"):
        moments = [add.ended] if add.ok else [add.begun, min(add.ended, all_[-1].begun + 99)]
        name = text(add.sent)
        surely |= {name} if all(map(inside, moments)) else set()
        maybe |= {name} if any(map(inside, moments)) else set()
    twice: set[str] = set()
    ever: set[str] = set()
    final: list[set[str]] = [set(), set()]
    adds = some(all_, "add")
    last = (max((add.start for add in adds), default=-1), last_place(adds))
    for read in _reads(all_):
        shown = _shown(read)
        ever |= set(shown)
        twice |= {value for value in shown if shown.count(value) > 1}
        for n in (0, 1):
            if read.start > last[n]:
                final[n] |= set(shown)
    strangers = ever - {text(add.sent) for add in adds}
    of = [*(len(some_ & surely) for some_ in final), len(maybe | strangers)]
    return share(case, [len(twice & surely), len(twice & maybe)], of)


def no_phantoms(case: Case) -> Answer:
    """What a read shows was there before the first add, or was added and not refused.

    A value that nobody ever added is none of this workload's, so where nobody looked before, it
    proves nothing.
    """
    all_ = calls(case)
    inside = window(case)
    adds = {text(add.sent): add for add in some(all_, "add")}
    first_add = min((add.start for add in adds.values()), default=10**9)
    reads = sorted(_reads(all_), key=lambda read: read.end)
    before = [read for read in reads if read.end < first_add]
    there = {value for read in before for value in _shown(read)}
    perhaps = {value for read in reads if read.start < first_add for value in _shown(read)}
    verdicts: list[Answer] = []
    for value in {value for read in reads for value in _shown(read)} - there:
        add = adds.get(value)
        seen = next(read for read in reads if value in _shown(read))
        moments = [seen.begun, seen.ended]
        if add is None:
            answer = WRONG if before else SUSPECT
            if value in perhaps:
                answer = FREE
        elif seen.end < add.start:
            answer = FREE  # there before it was sent: strange, and not defined
        elif add.refused:
            answer, moments = WRONG, [add.ended]
        else:
            continue
        if all(map(inside, moments)):
            verdicts.append(answer)
        elif any(map(inside, moments)):
            verdicts.append(either([answer, RIGHT]))
    return together(verdicts)
