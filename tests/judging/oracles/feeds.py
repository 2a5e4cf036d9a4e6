"""Events: numbered messages in channels, and subscribers that come and go."""

from __future__ import annotations

from random import Random
from typing import Any

from chaoskit.records import Event, Json
from tests.judging.oracles.case import (
    FREE,
    RIGHT,
    UNSURE,
    WORKLOAD,
    WRONG,
    Answer,
    Call,
    Case,
    allowed,
    calls,
    either,
    seconds,
    share,
    some,
    together,
    window,
)
from tests.judging.oracles.simulate import spoiled, surroundings

GAPS = (0.0, 0.0, 0.25, 0.25, 0.5, 1.0)
BUGS = (
    "drop",
    "again",
    "swap",
    "swap",
    "late",
    "no resync",
    "partial resync",
    "refused but sent",
    "strangers",
)


class Feed:
    """A publisher, and subscribers that the app serves, well or badly."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.bug = rng.choice(BUGS) if rng.random() < 0.5 else ""
        self.channels: list[Any] = rng.choice((["room"], ["room"], ["room", "hall"]))
        self.lines: list[Event] = []
        self.t, self.number = 0.0, 0
        self.next = dict.fromkeys(self.channels, 0)
        self.sent: list[tuple[Json, int]] = []
        self.resyncs = rng.choice(("list", "list", "last", "none"))
        self.all = rng.random() < 0.6
        self.own: dict[int, Json] = {
            8 + n: None if self.all else rng.choice(self.channels) for n in range(rng.randint(1, 2))
        }
        self.connected: dict[int, bool] = dict.fromkeys(self.own, False)
        self.waiting: dict[int, list[tuple[Json, int]]] = {one: [] for one in self.own}
        self.met: set[int] = set()
        self.doubt = rng.choice((0.0, 0.1))

    def has(self, bug: str) -> bool:
        return self.bug == bug and self.rng.random() < 0.4

    def emit(self, type_: Any, process: int, op: str, key: Any, value: Json, number: int) -> None:
        self.lines.append(Event(self.t, type_, process, WORKLOAD, op, key, value, number))

    def both(self, how: str, process: int, op: str, key: Json, sent: Json, got: Json) -> None:
        """Write down a whole call, with or without time in it."""
        self.emit("invoke", process, op, key, sent, self.number)
        if self.rng.random() < 0.3:
            self.tick()
        self.emit(how, process, op, key, got, self.number)
        self.number += 1

    def tick(self) -> None:
        self.t += self.rng.choice(GAPS)

    def play(self, steps: int) -> list[Event]:
        for one in self.own:
            if self.rng.random() < 0.85:
                self.connect(one)
        for _ in range(steps):
            self.tick()
            dice = self.rng.random()
            one = self.rng.choice(list(self.own))
            if dice < 0.4:
                self.publish()
            elif dice < 0.8:
                self.deliver(one)
            elif self.connected[one]:
                if self.rng.random() < 0.6:
                    self.connected[one] = False
                    self.both("info", one, "subscribe", self.own[one], None, None)
            else:
                self.connect(one)
        if self.rng.random() < 0.8:
            self.finish()
        return self.lines

    def finish(self) -> None:
        for one in self.own:
            if not self.connected[one] and self.rng.random() < 0.7:
                self.connect(one)
            while self.connected[one] and self.waiting[one]:
                self.tick()
                self.deliver(one)
        self.t += self.rng.choice((0.0, 0.5, 1.5, 3.0))
        self.publish()

    def connect(self, one: int) -> None:
        if self.rng.random() < 0.1:
            self.both("fail", one, "subscribe", self.own[one], None, None)
            return
        self.both("ok", one, "subscribe", self.own[one], None, None)
        self.connected[one] = True
        missed, self.waiting[one] = self.waiting[one], []
        if one not in self.met:
            self.met.add(one)
            return
        if self.resyncs == "none" or self.has("no resync"):
            self.waiting[one] = missed if self.resyncs == "none" and not self.bug else []
            return
        for channel in self.channels:
            numbers = [n for where, n in missed if where == channel]
            if self.has("partial resync"):
                numbers = numbers[1:]
            if numbers:
                got: Any = numbers if self.resyncs == "list" else max(numbers)
                self.both("ok", one, "resync", channel, None, got)

    def publish(self) -> None:
        channel = self.rng.choice(self.channels)
        self.next[channel] += 1
        value = self.next[channel]
        self.emit("invoke", 0, "publish", channel, value, self.number)
        number, self.number = self.number, self.number + 1
        refused = self.rng.random() < 0.08
        if not refused or self.has("refused but sent"):
            for one, mine in self.own.items():
                if one in self.met and mine in (None, channel) and not self.has("drop"):
                    self.waiting[one].append((channel, value))
        self.tick()
        one = self.rng.choice(list(self.own))
        if self.rng.random() < 0.3:
            self.deliver(one)
        elif not self.connected[one] and self.rng.random() < 0.2:
            self.connect(one)
        how = "fail" if refused else "info" if self.rng.random() < self.doubt else "ok"
        if how == "ok" and self.rng.random() < 0.05:
            return
        self.emit(how, 0, "publish", channel, value, number)

    def deliver(self, one: int) -> None:
        waiting = self.waiting[one]
        if not self.connected[one] or not waiting or self.has("late"):
            return
        if len(waiting) > 1 and self.has("swap"):
            waiting.append(waiting.pop(0))
        if self.has("strangers"):
            self.both("ok", one, "receive", waiting[0][0], 901, 901)
        channel, value = waiting.pop(0)
        if self.has("again"):
            waiting.append((channel, value))
        self.both("ok", one, "receive", channel, value, value)


def _case(rng: Random, *fields: str) -> Case:
    lines = Feed(rng).play(rng.randint(5, 20))
    given: dict[str, Any] = {}
    if "at_most" in fields and rng.random() < 0.3:
        given["at_most"] = rng.choice(("20%", "34%", "50%"))
    if "n" in fields and rng.random() < 0.5:
        given["n"] = rng.randint(1, 2)
    if "within" in fields:
        given["within"] = rng.choice(("0.5s", "1s", "2s"))
    given, faults = surroundings(rng, given)
    spoilt = spoiled(rng, lines, ("receive",), lambda _: rng.choice((1, 2, 3, 99)))
    return Case(spoilt, given, faults)


def gap_cases(rng: Random) -> Case:
    return _case(rng, "within", "at_most")


def resync_cases(rng: Random) -> Case:
    return _case(rng, "within")


def order_cases(rng: Random) -> Case:
    return _case(rng, "at_most")


def duplicate_cases(rng: Random) -> Case:
    return _case(rng, "n")


class Ear:
    """What is known of one subscriber. Times are in seconds, places are in the history."""

    def __init__(self, process: int, all_: list[Call]) -> None:
        mine = [one for one in all_ if one.process == process]
        self.process = process
        self.ups = sorted(
            (one for one in some(mine, "subscribe", ok=True)), key=lambda one: one.end
        )
        self.downs = [one for one in some(mine, "subscribe") if not one.ok]
        self.heard = sorted(some(mine, "receive", ok=True), key=lambda one: one.end)
        self.resyncs = some(mine, "resync", ok=True)

    def follows(self, channel: Json) -> bool:
        return any(one.key in (None, channel) for one in self.ups)

    @property
    def strange(self) -> bool:
        """Say whether it heard from a channel that it had not asked for, or before it had asked."""
        first = self.ups[0].end if self.ups else 10**9
        return any(not self.follows(one.key) or one.end < first for one in self.heard)

    def known(self, message: Call) -> float:
        """Return when it first knew of a message, infinitely late for never."""
        times = [
            one.ended for one in self.heard if (one.key, one.got) == (message.key, message.sent)
        ]
        for one in self.resyncs:
            if one.key not in (None, message.key):
                continue
            got = one.got if isinstance(one.got, list) else None
            covers = message.sent in got if got is not None else one.got >= message.sent
            if covers:
                times.append(one.ended)
        return min(times, default=float("inf"))


def _ears(all_: list[Call]) -> list[Ear]:
    processes = {one.process for one in some(all_, "subscribe", "receive", "resync")}
    return [Ear(process, all_) for process in sorted(processes)]


def no_gaps(case: Case) -> Answer:
    """Every subscriber comes to know every message that was acknowledged since it subscribed.

    Not said is whether a message counts that was under way when it subscribed, and whether the end
    of a subscriber that left is its `within` before or its very last moment.
    """
    all_, inside, within = calls(case), window(case), seconds(case, "within", 1)
    end = max((line.t for line in case.lines), default=0.0)
    bad = [0, 0]
    of = [0, 0]
    silent = False
    ears = _ears(all_)
    if any(ear.strange for ear in ears):
        return FREE
    for ear in ears:
        if not ear.ups:
            silent = True
            continue
        first = ear.ups[0]
        after = sorted(
            (one for one in ear.downs if one.start > ear.ups[-1].end), key=lambda one: one.start
        )
        left = after[0].ended if after else end
        came_back = not after or len(after) > 1  # or tried to
        for message in some(all_, "publish", ok=True):
            if not inside(message.ended) or message.end < first.end:
                continue
            if not ear.follows(message.key):
                continue
            sure = message.start > first.end
            waited = message.ended <= end - within
            if not came_back and message.ended > left:
                waited = False
            elif not came_back and message.ended > left - within:
                sure = False
            unknown = ear.known(message) == float("inf")
            missing = unknown and waited
            bad[0] += missing and sure
            bad[1] += missing
            of[0] += (waited or not unknown) and sure
            of[1] += 1
    answers = [share(case, [b], [max(o, b) for o in of]) for b in bad]
    answer = either(answers)
    if silent and answer != WRONG:
        answer = frozenset(answer - {"pass"}) | UNSURE
    return answer


def order(case: Case) -> Answer:
    """A message acknowledged before another was published is not received after it.

    First receptions count, for each subscriber and channel.
    """
    all_, inside = calls(case), window(case)
    published: dict[tuple[Json, Json], Call] = {}
    for one in some(all_, "publish"):
        published[one.key, one.sent] = one
    late, soon, own, judged = set(), set(), 0, 0
    doubtful = False
    for ear in _ears(all_):
        first: dict[tuple[Json, Json], Call] = {}
        for one in ear.heard:
            first.setdefault((one.key, one.got), one)
        here = [what for what, one in first.items() if inside(one.ended)]
        judged += len(here)
        own += sum(what in published for what in here)
        doubtful |= any(inside(o.ended) != inside(o.begun) for o in first.values())
        doubtful |= bool(here) and not ear.ups  # heard without having asked
        for a in here:
            for b in first:
                if a[0] != b[0] or a not in published or b not in published:
                    continue
                one, other = published[a], published[b]
                if one.ok and one.before(other) and first[b].end < first[a].end:
                    if other.refused:
                        doubtful = True
                        continue
                    late.add((ear.process, a))
                    soon.add((ear.process, b))
    if doubtful:
        return FREE
    if not late:
        return either(RIGHT if of else UNSURE for of in (own, judged))
    if not allowed(case):
        return WRONG
    numbers = [min(len(late), len(soon)), len(late), len(late | soon)]
    return share(case, numbers, [own, judged])


def too_few_to_have_an_order(case: Case) -> bool:
    """Say whether no subscriber heard two messages of one channel in the window."""
    all_, inside = calls(case), window(case)
    own = {(one.key, one.sent) for one in some(all_, "publish")}
    for ear in _ears(all_):
        here = {(o.key, o.got) for o in ear.heard if inside(o.ended) or inside(o.begun)} & own
        channels = [channel for channel, _ in here]
        if any(channels.count(channel) > 1 for channel in channels):
            return False
    return True


def at_most_n_duplicates(case: Case) -> Answer:
    """Of this workload's messages, subscribers received at most `n` again, all together."""
    all_, inside = calls(case), window(case)
    own = {(one.key, one.sent) for one in some(all_, "publish")}
    surely = maybe = judged = 0
    for ear in _ears(all_):
        seen: set[tuple[Json, Json]] = set()
        for one in ear.heard:
            what = (one.key, one.got)
            moments = [inside(one.begun), inside(one.ended)]
            judged += any(moments)
            if what in seen and what in own:
                surely += all(moments)
                maybe += any(moments)
            seen.add(what)
    if not judged:
        return UNSURE
    limit = case.fields.get("n", 0)
    return either(WRONG if many > limit else RIGHT for many in (surely, maybe))


def resync(case: Case) -> Answer:
    """What was acknowledged before a reconnect, and unknown then, is known `within` after it.

    Where it left again before it had that time, or where the message was under way when it first
    subscribed, nothing is said. What has no time before the end is not known.
    """
    all_, inside, within = calls(case), window(case), seconds(case, "within", 5)
    end = max((line.t for line in case.lines), default=0.0)
    parts: list[Answer] = []
    for ear in _ears(all_):
        if ear.strange:
            return FREE
        for message in some(all_, "publish", ok=True):
            backs = [up for up in ear.ups[1:] if message.end < up.end]
            if not backs or not ear.follows(message.key):
                continue
            back = backs[0]
            known = ear.known(message)
            if known < back.ended or message.end < ear.ups[0].end or not inside(back.ended):
                continue
            took = known - back.ended
            breaks = [one for one in ear.downs + ear.ups if one.start > back.end]
            gone = min(breaks, key=lambda one: one.start, default=None)
            there = end if gone is None else gone.begun
            if took <= within:
                answer = RIGHT
            elif there - back.ended < within and gone is not None:
                answer = FREE
            elif end - back.ended < within:
                answer = UNSURE
            elif known == float("inf") and end - back.ended == within:
                answer = FREE
            else:
                answer = WRONG
            if message.start < ear.ups[0].end or known == back.ended:
                answer = either([answer, RIGHT])
            parts.append(answer)
    if not parts:
        return UNSURE
    return together(parts)
