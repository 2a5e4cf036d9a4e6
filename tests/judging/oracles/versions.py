"""Versions: every key has one writer, whose versions rise."""

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
    seconds,
    share,
    some,
    together,
    window,
)
from tests.judging.oracles.simulate import REFUSED, App, Wish, lines_of, spoiled, surroundings

VIEWS = ("read", "truth")


class Profiles(App):
    """A store, and a cache in front of it; each client writes a key of its own."""

    bugs = (
        "stale cache", "stale cache", "lost write", "replica", "invented", "refused but stored",
        "store goes back",
    )  # fmt: skip
    writes = ("write",)

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.blank: Json = rng.choice((None, None, 0))
        self.store: dict[Json, Any] = {}
        self.older: dict[Json, Any] = {}
        self.cache: dict[Json, Any] = {}
        self.views = rng.choice((["read"], ["read", "truth"]))
        self.key: dict[int, str] = {0: "a", 1: "b"}
        self.next: dict[str, int] = {}
        self.looks = rng.random() < 0.5

    def first(self) -> list[Wish]:
        keys = self.key.values()
        return [(view, key, None) for key in keys for view in self.views] if self.looks else []

    def last(self) -> list[Wish]:
        keys = [*self.next] or ["a"]
        return [
            (view, key, None)
            for key in keys
            for view in self.views
            if self.rng.random() < 0.9
        ]  # fmt: skip

    def wish(self, slot: int) -> Wish | None:
        key = self.key.get(slot)
        if key is None or self.rng.random() < 0.55:
            known = [*self.key.values()]
            return (self.rng.choice(self.views), self.rng.choice(known), None)
        self.next[key] = self.next.get(key, 0) + 1
        return ("write", key, self.next[key])

    def told(self, slot: int, op: str, key: Json, how: str, got: Json) -> None:
        if op == "write" and how == "info" and self.key.get(slot) == key:
            self.key[slot] = f"{key}'"  # a key in doubt is not written again

    def effect(self, slot: int, op: str, key: Json, value: Json) -> Any:
        if op == "write":
            return self._write(key, value)
        now = self.store.get(key, self.blank)
        if self.has("invented"):
            return 77
        if self.bug == "replica" and self.rng.random() < 0.4:
            return self.older.get(key, self.blank)
        if op == "read" and self.bug == "stale cache":
            return self.cache.setdefault(key, now)
        return now

    def _write(self, key: Json, value: Json) -> Any:
        if self.rng.random() < 0.1:
            if self.has("refused but stored"):
                self.store[key] = value
            return REFUSED
        if self.has("lost write"):
            return value
        self.older[key] = self.store.get(key, self.blank)
        self.store[key] = value
        if self.has("store goes back"):
            self.store[key] = self.older[key]
        if self.rng.random() < 0.3:
            self.cache.pop(key, None)
        return value


def _case(rng: Random, *fields: str, windows: bool = True) -> Case:
    lines = lines_of(rng, Profiles(rng), clients=rng.randint(1, 3), count=rng.randint(4, 11))

    def lie(shown: Json) -> Json:
        return rng.choice((None, 0, 1, 2, 3, 9))

    given: dict[str, Any] = {}
    if "at_most" in fields and rng.random() < 0.3:
        given["at_most"] = rng.choice(("20%", "34%", "50%"))
    if "within" in fields:
        given["within"] = rng.choice(("0.5s", "1s", "2s"))
    given, faults = surroundings(rng, given, windows=windows)
    return Case(spoiled(rng, lines, VIEWS, lie), given, faults)


def share_cases(rng: Random) -> Case:
    return _case(rng, "at_most")


def fresh_cases(rng: Random) -> Case:
    return _case(rng, "at_most", "within")


def converges_cases(rng: Random) -> Case:
    return _case(rng, "within", windows=False)


def phantom_cases(rng: Random) -> Case:
    return _case(rng)


def _version(read: Call) -> float:
    return -1.0 if read.got is None else float(read.got)


def _good(all_: list[Call], *views: str) -> list[Call]:
    return some(all_, *(views or VIEWS), ok=True)


def _acknowledged(all_: list[Call], key: Json) -> list[Call]:
    return [one for one in some(all_, "write", ok=True) if one.key == key]


def read_your_writes(case: Case) -> Answer:
    """A read through the app shows at least what the same process was told it had written."""
    all_, inside = calls(case), window(case)
    bad = judged = 0
    for read in _good(all_, "read"):
        own = [
            write.sent
            for write in _acknowledged(all_, read.key)
            if write.process == read.process and write.before(read)
        ]
        if own and inside(read.begun):
            judged += 1
            bad += any(_version(read) < float(sent) for sent in own)
    return share(case, [bad], [judged])


def never_goes_back(case: Case) -> Answer:
    """A read shows at least what the same process had seen of the key in the same view.

    Whether a read after one that saw nothing was "read again" is not said.
    """
    all_, inside = calls(case), window(case)
    bad = judged = after_nothing = 0
    for read in _good(all_):
        before = [
            _version(one)
            for one in _good(all_, read.op)
            if (one.process, one.key) == (read.process, read.key) and one.before(read)
        ]
        if before and inside(read.begun):
            judged += max(before) >= 0
            after_nothing += max(before) < 0
            bad += _version(read) < max(before)
    return share(case, [bad], [judged, judged + after_nothing])


def fresh_within(case: Case) -> Answer:
    """A read began at most `within` after the next newer version was acknowledged."""
    all_, inside, within = calls(case), window(case), seconds(case, "within", 1)
    bad = judged = 0
    for read in _good(all_):
        newer = [
            write.ended
            for write in _acknowledged(all_, read.key)
            if float(write.sent) > _version(read) and write.before(read)
        ]
        if inside(read.begun):
            judged += 1
            bad += bool(newer) and read.begun - min(newer) > within
    return share(case, [bad], [judged])


def saw_nothing_of_its_own(case: Case) -> bool:
    """Say whether no judged read was of a key with an acknowledged write before it."""
    all_, inside = calls(case), window(case)
    return not any(
        write.end < read.end
        for read in _good(all_)
        if inside(read.begun)
        for write in _acknowledged(all_, read.key)
    )


def converges(case: Case) -> Answer:
    """Reads begun `within` after the last write of their key, and the last heal, show its last one.

    Every view of every key that has an acknowledged version must be read by then. A view that was
    right in its last look before may have been looked at early enough. What nobody wrote is wrong,
    or somebody else's. Whether a write's late `info` line is a write, and whether the last write
    of all keys counts for each, is not said.
    """
    all_, within = calls(case), seconds(case, "within", 5)
    heals = [fault.healed for fault in case.faults]
    if None in heals:
        return UNSURE
    healed = max((heal for heal in heals if heal is not None), default=-1.0)
    return either(
        _converged(all_, within, healed, late_lines=late_lines, own=own_key)
        for late_lines in (True, False)
        for own_key in (True, False)
    )


def _converged(
    all_: list[Call], within: float, healed: float, *, late_lines: bool, own: bool
) -> Answer:
    verdicts: list[Answer] = []
    views = {one.op for one in some(all_, *VIEWS)}
    writes = some(all_, "write")
    for key in {write.key for write in writes}:
        mine = _acknowledged(all_, key)
        if not mine:
            continue
        counted = [w for w in writes if w.key == key] if own else writes
        ends = [w for w in counted if w.how in ("ok", "fail") or (late_lines and w.how == "info")]
        quiet = max([*(w.begun for w in counted), *(w.ended for w in ends)])
        place = last_place(counted, late=late_lines)
        since = max(quiet, healed)
        last = max(float(w.sent) for w in mine)
        possible = {float(w.sent) for w in writes if w.key == key and not w.refused}
        reads = [r for r in _good(all_) if r.key == key and r.begun >= since and r.start > place]
        late = [r for r in reads if r.begun >= since + within]
        for read in late:
            got = _version(read)
            if got < last:
                verdicts.append(WRONG)
            elif got not in possible:
                verdicts.append(SUSPECT)
            elif read.op == "read":
                truths = [t for t in late if t.op == "truth" and t.end < read.end]
                if any(_version(t) > got and t.before(read) for t in truths):
                    verdicts.append(WRONG)
                elif any(_version(t) > got for t in truths):
                    verdicts.append(FREE)
        for view in views:
            if any(read.op == view for read in late):
                continue
            seen = [read for read in reads if read.op == view]
            if not seen:
                verdicts.append(UNSURE)
            elif _version(max(seen, key=lambda read: read.end)) < last:
                verdicts.append(SUSPECT)
    return together(verdicts)


def no_phantoms(case: Case) -> Answer:
    """A version that is read was written and not refused, or was in the key before its first write.

    Where nobody looked at a key before, it may hold what all untouched keys hold; anything else may
    be somebody else's.
    """
    all_, inside = calls(case), window(case)
    reads = [read for read in _good(all_) if read.got is not None]
    first: dict[Json, int] = {}
    for write in some(all_, "write"):
        first.setdefault(write.key, write.start)
    early = [read for read in reads if read.end < first.get(read.key, 10**9)]
    verdicts: list[Answer] = []
    judged: set[tuple[Json, float]] = set()
    for read in sorted(reads, key=lambda read: read.end):
        got = _version(read)
        if (read.key, got) in judged:
            continue  # a phantom is picked by when it was first read
        if got in [_version(one) for one in early if one.key == read.key]:
            continue
        tried = [w for w in some(all_, "write") if w.key == read.key and w.sent == read.got]
        if any(not w.refused and w.start < read.end for w in tried):
            continue
        judged.add((read.key, got))
        moments = [read.begun, read.ended]
        if any(not w.refused for w in tried):
            answer = FREE  # seen before it was sent
        elif tried:
            answer = WRONG if tried[0].start < read.end else FREE
            moments = [w.ended for w in tried]
        elif _looked(all_, read.key, first):
            answer = WRONG
        else:
            answer = FREE if got in {_version(one) for one in early} else SUSPECT
        if all(map(inside, moments)):
            verdicts.append(answer)
        elif any(map(inside, moments)):
            verdicts.append(either([answer, RIGHT]))
    return together(verdicts)


def _looked(all_: list[Call], key: Json, first: dict[Json, int]) -> bool:
    """Say whether a good read showed what the key held before its first write."""
    return any(read.key == key and read.end < first.get(key, 10**9) for read in _good(all_))
