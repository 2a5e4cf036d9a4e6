"""Operations out of a history: invocations joined to their completions.

An operation that ended `ok` took effect between its invocation and its completion. One that ended
`fail` never happened. One that ended `info`, or has no completion, may have taken effect at any
time after its invocation, or never (the model of Jepsen's histories).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import TypeAlias

from chaoskit.records import Event, Json

LONGEST = 24  # characters of a number

Element: TypeAlias = int | str
Pair: TypeAlias = tuple[Event, Event | None]  # an invocation and its completion, if there is one


def pairs(events: Sequence[Event], ops: Collection[str]) -> Iterator[Pair]:
    """Yield the operations of these kinds: completed ones as they end, open ones last."""
    pending: dict[int, Event] = {}
    take = pending.pop
    for event in events:
        if event.op in ops:
            if event.type == "invoke":
                pending[event.id] = event
            else:
                begin = take(event.id, None)
                if begin is not None:
                    yield begin, event
    for begin in pending.values():
        yield begin, None


def precedes(events: Sequence[Event], one: Event, other: Event) -> bool:
    """Return whether an event comes before another; at equal times the order of lines decides."""
    if one.t != other.t:
        return one.t < other.t
    tied = islice(events, bisect_left(events, one.t, key=attrgetter("t")), None)
    return next(event is one for event in tied if event is one or event is other)


def refused(events: Sequence[Event], ops: Collection[str]) -> set[int]:
    """Return the ids of the operations of these kinds that ended `fail`: they never happened."""
    return {event.id for event in events if event.type == "fail" and event.op in ops}


def number(value: Json) -> float | None:
    """Return a number, also one that a store returned as text; None for anything else."""
    if type(value) is int:  # the usual case, and not a boolean
        return value
    if isinstance(value, float):  # what is above 1.8e308 in JSON is infinite: above all others
        return None if math.isnan(value) else value
    if isinstance(value, str):
        try:
            if value.lstrip("-").isdecimal():
                return int(value)
            return found if math.isfinite(found := float(value)) else None
        except ValueError:
            return None
    return None


def element(value: Json) -> Element:
    """Return what a value is compared by: `17`, `17.0` and `"17"` are the same.

    An id is a number in JSON and may be text in SQL. Numbers stay numbers: there are millions.
    """
    if type(value) is int:
        return value
    if isinstance(value, str):
        digits = len(value) < 20 and value.isascii() and value.removeprefix("-").isdecimal()
        return int(value) if digits and str(int(value)) == value else value
    return int(value) if isinstance(value, float) and value.is_integer() else name(value)


def name(value: Json) -> str:
    """Return the text that stands for a key or a value: `17`, `17.0` and `"17"` are the same."""
    if type(value) is int:  # the usual case, and not a boolean
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def plain(value: float) -> str:
    """Return a number for people: 12, 12.5, never 12.0; very long ones by their length."""
    if value in (math.inf, -math.inf):
        return str(value)
    text = str(int(value)) if value == int(value) else f"{value:.10g}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} digits)"


def about(key: Json) -> str:
    """Return ` of KEY` for a sentence, nothing for a workload with one key."""
    return "" if key is None else f" of {name(key)}"
