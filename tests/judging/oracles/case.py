"""A case to judge, the calls it is made of, and what an oracle may answer.

Deliberately plain: every oracle works on a list of `Call`s whose `start` and `end` are places in
the history, and asks only whether one place comes before another. Nothing here is shared with the
checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

from chaoskit.records import Event, FaultWindow, Json

WORKLOAD = "w"
# Times of events are multiples of 0.25 s. No window begins or ends at one: on which side of its
# own border an event lies is nobody's question.
BASELINE, FAULTS, SETTLE = (-0.125, 3.125), (3.125, 7.125), (7.125, 10_000.125)

# An answer of an oracle is the set of verdicts that are right. A pass may always be an `unknown`:
# whether there was enough to see is asked apart from it, in `enough.py`.
Answer: TypeAlias = frozenset[str]
RIGHT: Answer = frozenset({"pass", "unknown"})
WRONG: Answer = frozenset({"fail"})
UNSURE: Answer = frozenset({"unknown"})
SUSPECT: Answer = frozenset({"fail", "unknown"})
FREE: Answer = frozenset({"pass", "fail", "unknown"})


@dataclass(frozen=True)
class Case:
    """Lines in the order of their file, the fields of the check, and the faults of the run."""

    lines: tuple[Event, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[FaultWindow, ...] = ()


@dataclass(frozen=True)
class Call:
    """One operation. `end` is infinite where no completion is known; `how` is `open` then."""

    id: int
    op: str
    process: int
    key: Json
    sent: Any
    start: int
    begun: float
    end: float = math.inf
    ended: float = math.inf
    how: str = "open"
    got: Any = None

    @property
    def ok(self) -> bool:
        return self.how == "ok"

    @property
    def refused(self) -> bool:
        return self.how == "fail"

    def before(self, other: Call) -> bool:
        """Say whether it had ended when the other one began."""
        return self.end < other.start


def calls(case: Case) -> list[Call]:
    """Return the operations of a case; at equal times the order of lines is the order."""
    found: dict[int, Call] = {}
    for place, line in enumerate(sorted(case.lines, key=lambda line: line.t)):
        if line.type == "invoke":
            found[line.id] = Call(
                line.id, line.op, line.process, line.key, line.value, place, line.t
            )
        else:
            one = found[line.id]
            found[line.id] = Call(
                one.id, one.op, one.process, one.key, one.sent, one.start, one.begun,
                place, line.t, line.type, line.value,
            )  # fmt: skip
    return list(found.values())


def some(all_: Iterable[Call], *ops: str, ok: bool = False) -> list[Call]:
    """Return the calls of these kinds, only the good ones if asked."""
    return [one for one in all_ if one.op in ops and (one.ok or not ok)]


def last_place(all_: Iterable[Call], *, late: bool = True) -> float:
    """Return the place of the last line of these calls; the `info` lines count if `late` ones do.

    An `info` says only that somebody stopped waiting.
    """
    found = [-1.0]
    for one in all_:
        found.append(one.start)
        if one.how in ("ok", "fail") or (late and one.how == "info"):
            found.append(one.end)
    return max(found)


def window(case: Case) -> Callable[[float], bool]:
    """Return what says whether a moment lies in the check's `during`."""
    during = case.fields.get("during", "all")
    if during == "all":
        return lambda _t: True
    if isinstance(during, dict):
        one = next(fault for fault in case.faults if fault.id == during["fault"])
        low, high = one.injected, math.inf if one.healed is None else one.healed
    else:
        low, high = {"baseline": BASELINE, "faults": FAULTS, "settle": SETTLE}[during]
    return lambda t: low <= t <= high


def seconds(case: Case, name: str, default: float) -> float:
    value = case.fields.get(name)
    return default if value is None else float(str(value).removesuffix("s"))


def allowed(case: Case) -> float:
    """Return `at_most` as a share between 0 and 1."""
    return float(str(case.fields.get("at_most", "0%")).removesuffix("%")) / 100


def either(answers: Iterable[Answer]) -> Answer:
    """Return what is right by any of these readings of the definition."""
    return frozenset().union(*answers)


def together(answers: Iterable[Answer]) -> Answer:
    """Return what is right of a whole when this is right of its parts: one wrong part is enough."""
    parts = list(answers)
    if WRONG in parts:
        return WRONG
    allowed_ = {"unknown"}
    if any("fail" in part for part in parts):
        allowed_.add("fail")
    if all("pass" in part for part in parts):
        allowed_.add("pass")
    return frozenset(allowed_)


def share(case: Case, bad: Sequence[int], of: Sequence[int]) -> Answer:
    """Judge `bad` of `of` against `at_most`, for every pair of numbers that can be meant."""
    limit = allowed(case)
    answers = []
    for some_, whole in product(set(bad), set(of)):
        if some_ and some_ > limit * max(whole, some_) + 1e-9:
            answers.append(WRONG)
        else:
            answers.append(RIGHT if whole else UNSURE)
    return either(answers)


def text(value: Json) -> str:
    """Return what a value is compared by: a store may give a number back as text."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
