"""Random small histories: clients, an app with or without a bug, and a network that loses answers.

Calls overlap, several things happen at one time, effects come late or never, and answers too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

from chaoskit.records import Event, FaultWindow, Json
from tests.judging.oracles.case import WORKLOAD, Case, calls

Wish: TypeAlias = tuple[str, Any, Any]  # an operation to call: its name, key and value
REFUSED = object()
GAPS = (0.0, 0.0, 0.0, 0.25, 0.25, 0.5, 1.0)


class App:
    """A model of an app, and of what its clients want; `bug` names what is wrong with it."""

    bugs: Sequence[str] = ()
    writes: Sequence[str] = ()

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.bug = rng.choice(self.bugs) if rng.random() < 0.5 else ""

    def has(self, bug: str) -> bool:
        """Say whether this bug strikes now."""
        return self.bug == bug and self.rng.random() < 0.4

    def first(self) -> list[Wish]:
        """Return what is called before all else."""
        return []

    def wish(self, slot: int) -> Wish | None:
        """Return what a client calls next."""
        raise NotImplementedError

    def last(self) -> list[Wish]:
        """Return what is called when all else has ended."""
        return []

    def effect(self, slot: int, op: str, key: Json, value: Json) -> Any:
        """Let a call take effect, and return its answer, or REFUSED."""
        raise NotImplementedError

    def told(self, slot: int, op: str, key: Json, how: str, got: Json) -> None:
        """Take note of what a client was told."""


class _Call:
    def __init__(self, number: int, wish: Wish, *, slow: bool) -> None:
        self.number, self.wish, self.slow = number, wish, slow
        self.done, self.answer = False, None


class Run:
    """One run: it grows `lines`."""

    def __init__(self, rng: Random, app: App, clients: int) -> None:
        self.rng, self.app = rng, app
        self.lines: list[Event] = []
        self.t = 0.0
        self.process = list(range(clients))
        self.busy: dict[int, _Call] = {}
        self.late: list[Callable[[], Any]] = []
        self.number = 0
        self.doubt = rng.choice((0.0, 0.05, 0.15))
        self.refusals = rng.choice((0.0, 0.05, 0.1))

    def emit(self, type_: Any, process: int, wish: Wish, value: Json, number: int) -> None:
        op, key, _ = wish
        self.lines.append(Event(self.t, type_, process, WORKLOAD, op, key, value, number))

    def begin(self, slot: int, wish: Wish) -> None:
        self.busy[slot] = _Call(self.number, wish, slow=self.rng.random() < 0.1)
        self.emit("invoke", self.process[slot], wish, wish[2], self.number)
        self.number += 1

    def advance(self, slot: int) -> None:
        """Let one call take effect, or end, or do neither yet."""
        call, rng = self.busy[slot], self.rng
        if call.slow and rng.random() < 0.8:
            return
        op, key, value = call.wish
        dice = rng.random()
        if not call.done:
            if dice < self.doubt:
                if rng.random() < 0.5:
                    self.late.append(lambda: self.app.effect(slot, op, key, value))
                self.finish(slot, "info" if op in self.app.writes else "fail")
            elif dice < self.doubt + self.refusals:
                self.finish(slot, "fail")
            else:
                call.done, call.answer = True, self.app.effect(slot, op, key, value)
        elif call.answer is REFUSED:
            self.finish(slot, "fail")
        elif dice < self.doubt and op in self.app.writes:
            self.finish(slot, "info")
        else:
            self.finish(slot, "ok")

    def finish(self, slot: int, how: str) -> None:
        call = self.busy.pop(slot)
        op, key, value = call.wish
        got = call.answer if how == "ok" else value
        self.emit(how, self.process[slot], call.wish, got, call.number)
        self.app.told(slot, op, key, how, got)
        if how == "info":  # the old call may still take effect: the client goes on as another one
            self.process[slot] += len(self.process)

    def through(self, wishes: list[Wish], *, patient: bool) -> None:
        """Call these in turn; a patient caller waits for whatever is under way."""
        while wishes:
            self.tick()
            slot = self.rng.randrange(len(self.process))
            if slot in self.busy:
                self.advance(slot)
            elif not patient or not self.busy:
                self.begin(slot, wishes.pop(0))

    def tick(self) -> None:
        self.t += self.rng.choice(GAPS)
        if self.late and self.rng.random() < 0.15:
            self.late.pop(self.rng.randrange(len(self.late)))()

    def play(self, count: int) -> None:
        """Let clients call what they wish, that often."""
        while count:
            self.tick()
            slot = self.rng.randrange(len(self.process))
            if slot in self.busy:
                self.advance(slot)
                continue
            wish = self.app.wish(slot)
            count -= 1
            if wish is not None:
                self.begin(slot, wish)

    def settle(self, *, leave: bool) -> None:
        """Let what is under way end; what is left has no completion."""
        while self.busy and not (leave and self.rng.random() < 0.2):
            self.tick()
            self.advance(self.rng.choice(list(self.busy)))


def lines_of(rng: Random, app: App, *, clients: int, count: int) -> list[Event]:
    """Return the history of one app: first looks, the play of the clients, last looks."""
    run = Run(rng, app, clients)
    run.through(app.first(), patient=rng.random() < 0.85)
    run.play(count)
    patient = rng.random() < 0.85
    if patient:
        run.settle(leave=rng.random() < 0.15)
        run.t += rng.choice((0.0, 0.5, 1.0, 2.5, 6.0))
    leftover = dict(run.busy) if patient else {}
    for slot in leftover:  # a call without an end keeps its process, not its client
        del run.busy[slot]
        run.process[slot] += clients
    run.through(app.last(), patient=patient)
    run.settle(leave=rng.random() < 0.1)
    return run.lines


def lied(
    rng: Random, lines: Sequence[Event], ops: Sequence[str], lie: Callable[[Json], Json]
) -> list[Event]:
    """Change what one of these operations returned."""
    found = list(lines)
    places = [n for n, line in enumerate(found) if line.type == "ok" and line.op in ops]
    if places:
        place = rng.choice(places)
        one = found[place]
        found[place] = Event(
            one.t, one.type, one.process, one.workload, one.op, one.key, lie(one.value), one.id
        )
    return found


def shuffled(rng: Random, lines: Sequence[Event]) -> list[Event]:
    """Move some lines to other places of the file, so that times go back in it."""
    found = list(lines)
    for _ in range(rng.randint(1, 3)):
        line = found.pop(rng.randrange(len(found)))
        place = rng.randrange(len(found) + 1)
        while 0 < place < len(found) and found[place].t == line.t:
            place += 1
        moved = [*found[:place], line, *found[place:]]
        found = moved if makes_sense(moved) else list(lines)
    return found


def makes_sense(lines: Sequence[Event]) -> bool:
    """Say whether every completion comes after its invocation, by time and then by line."""
    try:
        calls(Case(tuple(lines)))
    except KeyError:
        return False
    return True


def dropped(lines: Sequence[Event], number: int) -> list[Event]:
    return [line for line in lines if line.id != number]


def spoiled(
    rng: Random, lines: Sequence[Event], ops: Sequence[str], lie: Callable[[Json], Json]
) -> tuple[Event, ...]:
    """Do to some histories what no app would: a lie, an operation gone, lines out of order."""
    found = list(lines)
    if found and rng.random() < 0.2:
        found = lied(rng, found, ops, lie)
    if found and rng.random() < 0.1:
        found = dropped(found, rng.choice(found).id)
    if found and rng.random() < 0.1:
        found = shuffled(rng, found)
    return tuple(found)


def surroundings(
    rng: Random, fields: dict[str, Any], *, windows: bool = True
) -> tuple[dict[str, Any], tuple[FaultWindow, ...]]:
    """Return the fields with a `during` in some cases, and a fault in some."""
    faults: tuple[FaultWindow, ...] = ()
    if rng.random() < 0.25:
        healed = rng.choice((4.375, 6.125, 6.125))
        faults = (FaultWindow("cut", "blackhole", "app -> store", 3.375, healed),)
    if windows and rng.random() < 0.3:
        choices: list[Any] = ["baseline", "faults", "settle"]
        if faults:
            choices.append({"fault": "cut"})
        fields = {**fields, "during": rng.choice(choices)}
    return fields, faults
