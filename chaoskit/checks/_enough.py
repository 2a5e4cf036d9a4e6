"""Whether a history is enough to judge by: without it, a pass would prove nothing.

What is asked for: something written, acknowledged before the first fault, attempted while one was
in force (refused is fine) and acknowledged after the last heal; reads that saw something in the
same three times; and, where the check is about what is left in the end, a final read of every view.
Subscribers attempt nothing, they listen: that they heard nothing while a fault was in force may be
its very effect, so messages are asked for before and after only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter

from chaoskit.records import Event, FaultWindow, Json

_time, _op = attrgetter("t"), attrgetter("op")


def _anything(_value: Json) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Need:
    """What a history must hold before its check may pass.

    `writes` and `reads` name operations; one kind of each is enough. `final` asks for a good read
    of every view in use after the last write; `saw` says which read values count as data.
    """

    writes: tuple[str, ...]
    reads: tuple[str, ...] = ("read", "truth")
    final: bool = False
    saw: Callable[[Json], bool] = _anything


def gap(
    events: Sequence[Event], workload: str, faults: Sequence[FaultWindow], need: Need
) -> str | None:
    """Return why the history proves nothing, with what to change, or None when it does.

    `events` are in order of time.
    """
    used = set(map(_op, events))
    what = f"of workload `{workload}`"
    missing = _unwritten(events, used, what, need.writes)
    if missing is not None:
        return missing
    if need.reads:
        views = [view for view in need.reads if view in used]
        if not views:
            return f"workload `{workload}` never read back what it wrote"
        missing = _unread(events, views, what, need)
        if missing is not None:
            return missing
    if not faults:
        return None
    missing = _around(events, need.writes, f"{_either(need.writes, used)} {what}", faults)
    if missing is not None or not need.reads or need.final:
        return missing
    read = f"{_either(need.reads, used)} {what}"
    return _around(events, need.reads, read, faults, meanwhile="subscribe" not in used)


def _unwritten(
    events: Sequence[Event], used: Collection[str], what: str, writes: Collection[str]
) -> str | None:
    word = _either(writes, used)
    if not any(op in used for op in writes):
        return f"no {word} {what} was invoked"
    if any(event.type == "ok" and event.op in writes for event in events):
        return None
    errors = [event.error for event in events if event.error and event.op in writes]
    last = f": {errors[-1]}" if errors else ""
    return f"no {word} {what} was acknowledged{last}; see its `{word}` and the statuses in `ok`"


def _unread(events: Sequence[Event], views: Sequence[str], what: str, need: Need) -> str | None:
    if need.final:
        return _no_final_read(events, views, need)
    if any(e.type == "ok" and e.op in need.reads and need.saw(e.value) for e in events):
        return None
    errors = [event.error for event in events if event.error and event.op in views]
    last = f": {errors[-1]}" if errors else ""
    word = _either(views, views)
    return f"no {word} {what} returned anything{last}; see its `{word}` and what it extracts"


def _no_final_read(events: Sequence[Event], views: Sequence[str], need: Need) -> str | None:
    last = len(events)
    while last and events[last - 1].op not in need.writes:
        last -= 1
    invoked: set[int] = set()
    good: set[str] = set()
    empty: set[str] = set()
    errors: dict[str, str] = {}
    for event in events[last:]:
        if event.op not in views:
            continue
        if event.type == "invoke":
            invoked.add(event.id)
        elif event.id in invoked and event.type == "ok":
            (good if need.saw(event.value) else empty).add(event.op)
        elif event.id in invoked:
            errors[event.op] = event.error or "no answer"
    for view in views:
        if view in good:
            continue
        if view in empty:
            return f"the final reads of `{view}` saw no data; see what it extracts"
        return f"no final read of `{view}` succeeded: {errors.get(view, 'none was tried')}"
    return None


def _around(
    events: Sequence[Event],
    ops: Collection[str],
    what: str,
    faults: Sequence[FaultWindow],
    *,
    meanwhile: bool = True,
) -> str | None:
    """Return which of before, during (`meanwhile`) and after the faults saw none of these."""
    first = next((e.t for e in events if e.type == "ok" and e.op in ops), float("inf"))
    if first > min(fault.injected for fault in faults):
        return f"no {what} was acknowledged before the first fault; use a longer `baseline`"
    if meanwhile and not any(_attempted(events, ops, fault) for fault in faults):
        return f"no {what} was attempted while a fault was in force; raise its `rate`"
    heals = [fault.healed for fault in faults if fault.healed is not None]
    if len(heals) < len(faults):
        return f"a fault was never healed, so no {what} came after the faults"
    last = next((e.t for e in reversed(events) if e.type == "ok" and e.op in ops), 0.0)
    if last < max(heals):
        return (
            f"no {what} was acknowledged after the last heal at {max(heals):.2f} s; "
            "use a longer `settle`, or see why the app did not recover"
        )
    return None


def _attempted(events: Sequence[Event], ops: Collection[str], fault: FaultWindow) -> bool:
    """Say whether an operation was under way while the fault was in force."""
    begin = bisect_left(events, fault.injected, key=_time)
    end = len(events) if fault.healed is None else bisect_right(events, fault.healed, key=_time)
    if any(events[place].op in ops for place in range(begin, end)):
        return True
    opened: set[int] = set()  # those that began before it and ended after it
    for event in events[:begin]:
        if event.op in ops:
            if event.type == "invoke":
                opened.add(event.id)
            else:
                opened.discard(event.id)
    return any(event.id in opened for event in events[end:])


def _either(ops: Collection[str], used: Collection[str]) -> str:
    """Return the kinds that were in use, or else all of them, for a sentence."""
    return " or ".join([op for op in ops if op in used] or list(ops))
