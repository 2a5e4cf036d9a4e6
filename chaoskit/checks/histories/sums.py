"""What a sum may be while additions are under way: the bounds of a read, in one linear sweep.

After Jepsen's `counter`: a read returns at least what was acknowledged before it began, and at most
what had been attempted when it ended. Refused additions never happened; those without a clear
answer may have happened at any later time, or never. Amounts may be negative.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import NamedTuple

from chaoskit.checks.histories.operations import number, refused
from chaoskit.records import Event, Key

VIEWS = ("read", "truth")


class Bounded(NamedTuple):
    """One good read of a number, and the bounds that the additions around it allow.

    `acknowledged` and `attempted` are sums without the initial value, when the read ended. `final`
    says that no addition was begun or ended after the read had begun.
    """

    begin: Event
    end: Event
    value: float
    low: float
    high: float
    acknowledged: float
    attempted: float
    final: bool


_bounded = partial(tuple.__new__, Bounded)  # a third of the time, a million times


@dataclass(slots=True)
class Sums:
    """The additions to one key, so far: sums of what was acknowledged and of what was tried.

    `initial` is None until it is known; `looked` says that a read showed it, before the first
    addition had `begun`.
    """

    initial: float | None
    looked: bool = False
    begun: bool = False
    acknowledged: float = 0
    up_acknowledged: float = 0
    down_acknowledged: float = 0
    up_tried: float = 0
    down_tried: float = 0


class Additions:
    """A sweep over a history in which `op` adds its value, times `sign`, to its key.

    A key begins with what is `given`, or what was read before its first addition, or `default`;
    where none of these is known, its reads have no bounds. `reads` fills `keys` as it goes.
    """

    def __init__(
        self,
        events: Sequence[Event],
        op: str,
        *,
        given: float | None,
        default: float | None = None,
        sign: int = 1,
    ) -> None:
        self.keys: dict[Key, Sums] = {}
        self._events, self._op, self._sign = events, op, sign
        self._given, self._default = given, default

    def reads(self) -> Iterator[Bounded]:  # noqa: PLR0912, PLR0915  # one loop, for speed
        """Yield the good reads of all views, as they end."""
        events, op, sign, keys = self._events, self._op, self._sign, self.keys
        given, default = self._given, self._default
        never = refused(events, (op,))
        last = next((event for event in reversed(events) if event.op == op), None)
        final = last is None
        adding: dict[int, tuple[Sums, float]] = {}
        pending: dict[int, tuple[Event, float, float, bool]] = {}
        for event in events:
            kind, type_ = event.op, event.type
            if kind != op and kind not in VIEWS:
                continue
            key = event.key
            sums = keys.get(key)
            if sums is None:
                sums = keys[key] = Sums(given)
            if kind == op:
                if event is last:
                    final = True
                if type_ == "invoke":
                    if not sums.begun:
                        sums.begun = True
                        if sums.initial is None:
                            sums.initial = default
                    amount = number(1 if event.value is None else event.value)
                    if amount is not None and event.id not in never:
                        amount *= sign
                        adding[event.id] = (sums, amount)
                        if amount > 0:
                            sums.up_tried += amount
                        else:
                            sums.down_tried += amount
                elif type_ == "ok":
                    added = adding.pop(event.id, None)
                    if added is not None:
                        sums.acknowledged += added[1]
                        if added[1] > 0:
                            sums.up_acknowledged += added[1]
                        else:
                            sums.down_acknowledged += added[1]
            elif type_ == "invoke":
                pending[event.id] = (event, sums.up_acknowledged, sums.down_acknowledged, final)
            elif type_ == "ok":
                started = pending.pop(event.id, None)
                value = number(event.value)
                if started is None or value is None:
                    continue
                if not sums.begun and not sums.looked:
                    sums.looked = True
                    if sums.initial is None:
                        sums.initial = value
                begin, up, down, late = started
                first = sums.initial
                low, high = -inf, inf
                if first is not None:
                    low = first + up + sums.down_tried
                    high = first + down + sums.up_tried
                tried = sums.up_tried + sums.down_tried
                yield _bounded((begin, event, value, low, high, sums.acknowledged, tried, late))
