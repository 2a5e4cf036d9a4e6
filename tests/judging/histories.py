"""Good histories of every kind of workload, written down and mutated, and random small ones.

A history is a list of `Op`; `events` turns it into the events that a run records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from chaoskit.records import Event, FaultWindow, Json, Key

FAULT = FaultWindow("cut", "blackhole", "app -> store", 10.0, 12.0, ("store",))


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: when it began and ended, by whom, what it sent and what came back."""

    op: str
    start: float
    end: float | None
    process: int = 0
    key: Key = None
    value: Json = None
    back: Json = None
    how: str = "ok"

    def events(self, number: int) -> list[Event]:
        common = (self.process, "w", self.op, self.key)
        found = [Event(self.start, "invoke", *common, self.value, number)]
        if self.end is not None:
            value = self.back if self.how == "ok" and self.back is not None else self.value
            if self.op in ("read", "truth", "receive", "drain", "acquire", "resync"):
                value = self.back
            found.append(Event(self.end, self.how, *common, value, number))  # type: ignore[arg-type]
        return found


def events(ops: Sequence[Op]) -> list[Event]:
    found = [event for number, op in enumerate(ops) for event in op.events(number)]
    return sorted(found, key=lambda event: event.t)


def _beat() -> list[float]:
    return [0.5 * n for n in range(1, 40)]


def set_() -> list[Op]:
    values = list(range(100, 139))
    adds = [Op("add", t, t + 0.1, 0, None, v) for t, v in zip(_beat(), values, strict=True)]
    reads = [Op("read", 0.1, 0.2, 0, None, None, []), Op("truth", 0.2, 0.3, 0, None, None, [])]
    for n in range(2):
        reads.append(Op("read", 21 + n, 21.1 + n, 0, None, None, list(values)))
        reads.append(Op("truth", 21.5 + n, 21.6 + n, 0, None, None, list(values)))
    return adds + reads


def counter() -> list[Op]:
    ops = [Op("read", 0.1, 0.2, 0, None, None, 5)]
    for n, t in enumerate(_beat(), 1):
        ops.append(Op("increment", t, t + 0.1, 0, None, 1))
        ops.append(Op("read", t + 0.2, t + 0.3, 1, None, None, 5 + n))
    ops.append(Op("truth", 21, 21.1, 0, None, None, 5 + len(_beat())))
    ops.append(Op("read", 22, 22.1, 0, None, None, 5 + len(_beat())))
    return ops


def versions() -> list[Op]:
    ops = []
    for n, t in enumerate(_beat(), 1):
        for key in ("a", "b"):
            process = 0 if key == "a" else 1
            ops.append(Op("write", t, t + 0.1, process, key, n))
            ops.append(Op("read", t + 0.15, t + 0.2, process, key, None, n))
            ops.append(Op("read", t + 0.25, t + 0.3, 2, key, None, n))
    last = len(_beat())
    for n in range(3):
        for key in ("a", "b"):
            ops.append(Op("read", 30 + n, 30.1 + n, 2, key, None, last))
            ops.append(Op("truth", 30.2 + n, 30.3 + n, 2, key, None, last))
    return ops


def register() -> list[Op]:
    ops: list[Op] = []
    for n, t in enumerate(_beat(), 1):
        ops.append(Op("write", t, t + 0.1, 0, "a", n))
        ops.append(Op("read", t + 0.05, t + 0.12, 1, "a", None, n))
        ops.append(Op("read", t + 0.2, t + 0.3, 2, "a", None, n))
    return ops


def cas() -> list[Op]:
    ops = [Op("write", 0.1, 0.2, 0, "a", 0)]
    for n, t in enumerate(_beat()):
        ops.append(Op("cas", t, t + 0.1, 0, "a", [n, n + 1]))
        ops.append(Op("cas", t + 0.15, t + 0.2, 1, "a", [n, 7], how="fail"))
        ops.append(Op("read", t + 0.25, t + 0.3, 2, "a", None, n + 1))
    return ops


def bank() -> list[Op]:
    held = {"a": 5, "b": 5, "c": 0}
    ops = [Op("read", 0.1, 0.2, 0, None, None, dict(held))]
    for n, t in enumerate(_beat()):
        source, target = ("a", "b", "c")[n % 3], ("b", "c", "a")[n % 3]
        amount = 1 + n % 2
        how = "ok" if held[source] >= amount else "fail"
        value: Json = {"from": source, "to": target, "amount": amount}
        ops.append(Op("transfer", t, t + 0.1, 0, None, value, how=how))
        if how == "ok":
            held[source] -= amount
            held[target] += amount
        ops.append(Op("read", t + 0.2, t + 0.3, 1, None, None, dict(held)))
    ops.append(Op("truth", 22, 22.1, 0, None, None, dict(held)))
    ops.append(Op("read", 23, 23.1, 0, None, None, dict(held)))
    return ops


def stock() -> list[Op]:
    ops = [Op("read", 0.1, 0.2, 0, "tea", None, 30)]
    left = 30
    for t in _beat():
        how = "ok" if left else "fail"
        left -= left > 0
        ops.append(Op("buy", t, t + 0.1, 0, "tea", 1, how=how))
        ops.append(Op("read", t + 0.2, t + 0.3, 1, "tea", None, left))
    # A shop that is sold out refuses; nothing would be acknowledged after the fault otherwise.
    ops.append(Op("truth", 22, 22.1, 0, "tea", None, left))
    return ops


def queue() -> list[Op]:
    ops = []
    for n, t in enumerate(_beat()):
        ops.append(Op("send", t, t + 0.1, 0, None, n))
        if n >= 3 and n % 2:
            ops.append(Op("receive", t + 0.2, t + 0.3, 1, None, None, (n - 3) // 2))
    taken = {op.back for op in ops if op.op == "receive"}
    rest = [n for n in range(len(_beat())) if n not in taken]
    ops.append(Op("drain", 21, 21.1, 0, None, None, rest[:10]))
    ops.append(Op("drain", 22, 22.1, 0, None, None, rest[10:]))
    ops.append(Op("drain", 23, 23.1, 0, None, None, []))
    return ops


def lock() -> list[Op]:
    ops = []
    for n, t in enumerate(_beat(), 1):
        process = n % 2
        ops.append(Op("acquire", t, t + 0.1, process, "leader", None, n))
        ops.append(Op("acquire", t + 0.15, t + 0.2, 2, "leader", None, None, how="fail"))
        ops.append(Op("release", t + 0.25, t + 0.3, process, "leader", n))
    return ops


def feed() -> list[Op]:
    ops = [Op("subscribe", 0.1, 0.2, 8), Op("subscribe", 0.1, 0.2, 9)]
    for n, t in enumerate(_beat(), 1):
        ops.append(Op("publish", t, t + 0.05, 0, "room", n))
        for subscriber in (8, 9):
            if subscriber == 9 and 10 <= t < 12:
                continue
            at = t + 0.06 + 0.01 * subscriber
            ops.append(Op("receive", at, at, subscriber, "room", None, n))
    ops.append(Op("subscribe", 9.9, 9.9, 9, how="info"))
    ops.append(Op("subscribe", 11.7, 11.8, 9))
    missed = [n for n, t in enumerate(_beat(), 1) if 10 <= t < 12]
    ops.append(Op("resync", 11.85, 11.9, 9, "room", None, missed))
    return ops


GOOD: dict[str, Callable[[], list[Op]]] = {
    "set": set_,
    "counter": counter,
    "versions": versions,
    "register": register,
    "cas": cas,
    "bank": bank,
    "stock": stock,
    "queue": queue,
    "lock": lock,
    "events": feed,
}


def _swap(values: Sequence[Json]) -> list[Json]:
    found = list(values)
    found[2], found[5] = found[5], found[2]
    return found


def changed(
    ops: Sequence[Op], place: int, change: Callable[[Op], Op | None], *, doubled: bool = False
) -> list[Op]:
    """Return the history with one operation changed, left out, or there twice."""
    found = list(ops)
    new = change(found[place])
    if doubled and new is not None:
        found.insert(place + 1, new)
    elif new is None:
        del found[place]
    else:
        found[place] = new
    return found


def places(ops: Sequence[Op], op: str, *, after: float = 0.0) -> list[int]:
    return [
        n for n, one in enumerate(ops) if one.op == op and one.start >= after and one.how == "ok"
    ]


def with_back(back: Callable[[Json], Json]) -> Callable[[Op], Op]:
    return lambda op: replace(op, back=back(op.back))


def random_register(
    rng: Random, *, operations: int, processes: int, unique: bool, cas: bool, doubt: float
) -> list[Event]:
    """Return a small history of one key; a good part of them is not linearizable.

    Effects happen at a moment of their own between invocation and completion, or later, or never
    for `info`; some reads lie.
    """
    found: list[Event] = []
    running: dict[int, tuple[int, str, Json, Json | None, bool]] = {}
    late: list[Json] = []
    state: Json = None
    number = value = 0
    process = list(range(processes))
    while number < operations or running:
        t = float(len(found))
        if late and rng.random() < 0.2:  # an old write in doubt happens at last
            state = late.pop(0)
        slot = rng.randrange(processes)
        if slot not in running:
            if number >= operations:
                continue
            kinds = ["read", "read", "write"] + (["cas"] if cas else [])
            op = rng.choice(kinds)
            sent: Json = None
            if op == "write":
                value += 1
                sent = value if unique else rng.randrange(3)
            elif op == "cas":
                sent = [rng.randrange(3), rng.randrange(3)]
            found.append(Event(t, "invoke", process[slot], "w", op, "k", sent, number))
            running[slot] = (number, op, sent, None, False)
            number += 1
            continue
        this, op, sent, got, applied = running[slot]
        if not applied and rng.random() < 0.5:  # the moment at which it takes effect
            matched = True
            if op == "read":
                got = state
            elif op == "write":
                state = sent
            elif isinstance(sent, list):
                matched = state == sent[0]
                state = sent[1] if matched else state
            running[slot] = (this, op, sent, got if op == "read" else matched, True)
            continue
        del running[slot]
        how, back = _ended(rng, op, sent, got, applied, doubt, value)
        if op == "write" and how == "info" and not applied and rng.random() < 0.5:
            late.append(sent)
        found.append(Event(t, how, process[slot], "w", op, "k", back, this))  # type: ignore[arg-type]
        if how == "info":
            process[slot] += processes
    return found


def _ended(
    rng: Random, op: str, sent: Json, got: Json, applied: bool, doubt: float, value: int
) -> tuple[str, Json]:
    if op == "read":
        if not applied:
            return "fail", None
        lies = rng.random() < 0.25
        return "ok", rng.randrange(max(value, 3) + 1) if lies else got
    if rng.random() < doubt or (not applied and rng.random() < 0.7):
        return "info", sent
    if not applied or (op == "cas" and got is False):
        return "fail", sent
    return "ok", sent


def hot_key(operations: int, seed: int = 7) -> list[Event]:
    """Return one hot key with few values, where 2 % of the writes have no answer."""
    rng = Random(seed)
    found: list[Event] = []
    state: Json = None
    number = 0
    while number < operations:
        batch = []
        for process in range(10):
            op = rng.choice(["read", "write", "cas"])
            value: Json = None if op == "read" else rng.randrange(40)
            if op == "cas":
                value = [rng.randrange(40), rng.randrange(40)]
            t = float(len(found))
            found.append(Event(t, "invoke", process, "w", op, "hot", value, number))
            batch.append((process, op, value, number))
            number += 1
        rng.shuffle(batch)
        for process, op, value, this in batch:
            t = float(len(found))
            how, back = "ok", value
            if op == "cas":
                assert isinstance(value, list)
                how = "ok" if state == value[0] else "fail"
                state = value[1] if how == "ok" else state
            elif op == "write":
                state = value
                how = "info" if rng.random() < 0.06 else "ok"
            else:
                back = state
            found.append(Event(t, how, process, "w", op, "hot", back, this))  # type: ignore[arg-type]
    # The last read saw what nobody can have left there: a proof of that is out of reach.
    t = float(len(found))
    found.append(Event(t, "invoke", 0, "w", "write", "hot", 99, number))
    found.append(Event(t + 1, "ok", 0, "w", "write", "hot", 99, number))
    found.append(Event(t + 2, "invoke", 0, "w", "read", "hot", None, number + 1))
    found.append(Event(t + 3, "ok", 0, "w", "read", "hot", 98, number + 1))
    return found
