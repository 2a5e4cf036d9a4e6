"""How fast histories are judged; `make bench` runs it with the rest. Times are processor seconds.

python tools/bench_judging.py             every row
python tools/bench_judging.py --memory    only what a file of a million operations takes
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chaoskit.checks._base import REGISTRY  # noqa: E402
from chaoskit.record.history import without_collecting  # noqa: E402
from chaoskit.records import Event, Evidence, Finding, Json, Verdict  # noqa: E402
from tests.judging.histories import hot_key  # noqa: E402

OPERATIONS = 200_000
ROUNDS = 5
MILLION = 1_000_000


class History:
    """Writes events down, one operation after the other or several at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._t = 0.0
        self._id = 0

    def invoke(self, op: str, value: Json = None, key: Json = None, process: int = 0) -> Event:
        self._t += 1e-5
        event = Event(self._t, "invoke", process, "w", op, key, value, self._id)
        self._id += 1
        self.events.append(event)
        return event

    def end(self, begin: Event, value: Json = None, how: Any = "ok") -> None:
        self._t += 1e-5
        event = Event(self._t, how, begin.process, "w", begin.op, begin.key, value, begin.id)
        self.events.append(event)

    def do(
        self, op: str, value: Json = None, back: Json = None, key: Json = None, process: int = 0
    ) -> None:
        self.end(self.invoke(op, value, key, process), value if back is None else back)

    def wait(self, seconds: float) -> None:
        self._t += seconds


def set_() -> list[Event]:
    history = History()
    for n in range(OPERATIONS):
        history.do("add", n, process=n % 8)
    history.do("read", back=list(range(OPERATIONS)))
    return history.events


def counter() -> list[Event]:
    history = History()
    history.do("read", back=0)
    for n in range(OPERATIONS // 2):
        history.do("increment", 1)
        history.do("read", back=n + 1, process=1)
    return history.events


def versions() -> list[Event]:
    history, rng = History(), Random(1)
    versions = [0] * 20
    for n in range(OPERATIONS):
        key = rng.randrange(20)
        if n % 2:
            versions[key] += 1
            history.do("write", versions[key], key=key, process=key % 8)
        else:
            history.do("read", back=versions[key] or None, key=key, process=rng.randrange(8))
    history.wait(10)
    for key in range(20):
        history.do("read", back=versions[key], key=key)
    return history.events


def register() -> list[Event]:
    """Four operations at a time on ten keys, every value written once."""
    history, rng = History(), Random(2)
    state: dict[int, int] = {}
    value = 0
    for _ in range(OPERATIONS // 4):
        begun = []
        for process in range(4):
            key = rng.randrange(10)
            if process % 2:
                value += 1
                begun.append(history.invoke("write", value, key, process))
            else:
                begun.append(history.invoke("read", None, key, process))
        for one in begun:
            if one.op == "write":
                state[one.key] = one.value  # type: ignore[index,assignment]
                history.end(one, one.value)
            else:
                history.end(one, state.get(one.key))  # type: ignore[arg-type]
    return history.events


def bank() -> list[Event]:
    history = History()
    held = {str(n): 100 for n in range(5)}
    history.do("read", back=dict(held))
    for n in range(OPERATIONS // 2):
        source, target = str(n % 5), str((n + 1) % 5)
        history.do("transfer", {"from": source, "to": target, "amount": 1})
        held[source] -= 1
        held[target] += 1
        history.do("read", back=dict(held), process=1)
    return history.events


def stock() -> list[Event]:
    history = History()
    history.do("read", back=OPERATIONS, key="tea")
    for n in range(OPERATIONS // 2):
        history.do("buy", 1, key="tea")
        history.do("read", back=OPERATIONS - n - 1, key="tea", process=1)
    return history.events


def queue() -> list[Event]:
    history = History()
    for n in range(OPERATIONS // 2):
        history.do("send", n)
        history.end(history.invoke("receive", process=1), n)
    history.end(history.invoke("drain"), [])
    return history.events


def lock() -> list[Event]:
    history = History()
    for n in range(OPERATIONS // 2):
        history.do("acquire", back=n, key="a", process=n % 4)
        history.do("release", n, key="a", process=n % 4)
    return history.events


def events() -> list[Event]:
    history = History()
    for subscriber in (8, 9):
        history.do("subscribe", process=subscriber)
    for n in range(OPERATIONS // 3):
        history.do("publish", n, key="room")
        for subscriber in (8, 9):
            history.end(history.invoke("receive", None, "room", subscriber), n)
    history.wait(0.5)
    return history.events


ROWS: list[tuple[Callable[[], list[Event]], dict[str, dict[str, str]]]] = [
    (set_, {"no_loss": {}, "no_duplicates": {}, "no_phantoms": {}}),
    (counter, {"counter_bounds": {}}),
    (
        versions,
        {"read_your_writes": {}, "never_goes_back": {}, "fresh_within": {}, "converges": {}},
    ),
    (register, {"linearizable": {}}),
    (bank, {"conserved": {}, "never_negative": {}}),
    (stock, {"never_oversold": {}}),
    (queue, {"no_loss": {}, "at_most_n_duplicates": {}, "order": {}}),
    (lock, {"mutual_exclusion": {}, "fencing": {}}),
    (events, {"no_gaps": {"within": "100ms"}, "order": {}, "at_most_n_duplicates": {}}),
]


def judged(check: str, history: list[Event], fields: dict[str, str]) -> tuple[Finding, float]:
    kind = REGISTRY.get(check)
    assert kind is not None
    made = kind.model_validate({"check": check, "workload": "w", **fields})
    with without_collecting():
        start = time.process_time()
        found = made.judge(Evidence((), (), history={"w": history}))
        return found, time.process_time() - start


def row(what: str, measured: float, unit: str, budget: float, *, at_least: bool) -> bool:
    good = measured >= budget if at_least else measured <= budget
    sign = ">=" if at_least else "<="
    print(f"{'ok' if good else 'OVER':<5} {what:<58} {measured:8.2f} {unit} ({sign} {budget:g})")
    return good


def linear() -> bool:
    """The fastest of some rounds, because a machine has slow spells of its own."""
    speeds: dict[str, float] = {}
    for make, checks in ROWS * ROUNDS:
        history = make()
        gc.collect()
        operations = sum(event.type == "invoke" for event in history)
        for check, fields in checks.items():
            found, took = judged(check, history, fields)
            if found.verdict is not Verdict.PASS:
                sys.exit(f"{check} on {make.__name__}: {found}")
            name = f"{check} on {make.__name__.strip('_')}"
            speeds[name] = max(speeds.get(name, 0.0), operations / took / 1e6)
    rows = [row(name, one, "M operations/s", 1.0, at_least=True) for name, one in speeds.items()]
    return all(rows)


def cas() -> bool:
    """A hundred histories of 170 events each, with operations that never ended."""
    total = 0.0
    for seed in range(100):
        history = cas_history(Random(seed))
        found, took = judged("linearizable", history, {})
        if found.verdict is not Verdict.PASS:
            sys.exit(f"cas history {seed}: {found}")
        total += took
    return row("100 cas histories of 170 events, some unfinished", total, "s", 3.0, at_least=False)


def hot() -> bool:
    """One key that cannot be decided: it must end as `unknown`, and not later than it may."""
    history = hot_key(3_000)
    last = history[-1]
    history[-1] = Event(last.t, "ok", 0, "w", "read", "hot", 17, last.id)
    found, took = judged("linearizable", history, {"budget": "2s"})
    if found.verdict is not Verdict.UNKNOWN or "could not decide" not in (found.reason or ""):
        sys.exit(f"the hot key: {found}")
    return row("a hot key, 2% in doubt: unknown within its budget", took, "s", 2.0, at_least=False)


def cas_history(rng: Random) -> list[Event]:
    """Return 170 events of one register with five values, five clients, a tenth in doubt."""
    found: list[Event] = []
    running: dict[int, tuple[Event, Any]] = {}
    state: Json = None
    number = 0
    while len(found) < 170:
        slot = rng.randrange(5)
        t = float(len(found))
        if slot not in running:
            op = rng.choice(["read", "write", "cas"])
            sent: Any = None if op == "read" else rng.randrange(5)
            if op == "cas":
                sent = [rng.randrange(5), rng.randrange(5)]
            begin = Event(t, "invoke", slot + 5 * number, "w", op, "k", sent, number)
            running[slot] = (begin, None)
            found.append(begin)
            number += 1
            continue
        begin, _ = running.pop(slot)
        how, back = "ok", begin.value
        happens = True
        if begin.op != "read" and rng.random() < 0.1:
            how, happens = "info", rng.random() < 0.5
        if begin.op == "read":
            back = state
        elif begin.op == "write":
            state = begin.value if happens else state
        elif state == begin.value[0]:  # type: ignore[index,call-overload]
            state = begin.value[1] if happens else state  # type: ignore[index,call-overload]
        elif how == "ok":
            how = "fail"
        if how == "info" and rng.random() < 0.5:
            continue  # it never ended at all
        found.append(Event(t, how, begin.process, "w", begin.op, "k", back, begin.id))  # type: ignore[arg-type]
    return found


def memory() -> bool:
    """Read and judge a file of a million operations in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.ndjson"
        line = (
            '{{"t":{:.6f},"type":"{}","process":{},"workload":"w","op":"{}","key":{},"value":{},'
            '"id":{},"error":null}}\n'
        )
        with path.open("w") as file:
            for n in range(MILLION - 1):
                for half, kind in enumerate(("invoke", "ok")):
                    t = (2 * n + half) * 1e-4
                    file.write(line.format(t, kind, n % 8, "add", "null", n, n))
            last = MILLION - 1
            file.write(line.format(1000, "invoke", 0, "read", "null", "null", last))
            values = list(range(MILLION - 1))
            file.write(line.format(1001, "ok", 0, "read", "null", values, last))
        argv = [
            str(Path(sys.executable).parent / "chaoskit"),
            "check",
            str(path),
            "--workload",
            "set",
        ]
        start = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
        took = time.monotonic() - start
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        print(f"      reading and judging a million operations took {took:.1f} s")
        return row("memory of a million operations", most, "GB", 1.0, at_least=False)


if __name__ == "__main__":
    only_memory = "--memory" in sys.argv
    results = [memory()] if only_memory else [linear(), cas(), hot(), memory()]
    sys.exit(0 if all(results) else 1)
