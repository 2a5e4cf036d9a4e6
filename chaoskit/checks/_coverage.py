"""Whether a history is enough to judge by: without it, a pass would prove nothing.

What is asked for: every kind of operation in use succeeded; something was written and acknowledged
before the first fault, attempted while faults were in force (refused is fine) and acknowledged
after the last heal; reads that saw something in the same three times; and, where the check is about
what is left in the end, a final read of every view.
Subscribers attempt nothing, they listen: that they heard nothing while a fault was in force may be
its very effect, so messages are asked for before and after only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from chaoskit.checks.histories.operations import about
from chaoskit.records import Event, FaultWindow, Json, Key
from chaoskit.text import count

LONG = 1.0  # seconds; nothing may be due during a shorter fault
AT_THE_ENDS = ("truth", "drain")  # views that are looked at before and after a run, not in it

_time = attrgetter("t")


def _anything(_value: Json) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Need:
    """What a history must hold before its check may pass.

    `writes` and `reads` name operations; `others` are further ones that must have succeeded, where
    they are in use. `final` asks for a good read of every view in use after the last write, with
    `every_key` one of each key that was written. `after_write` asks for a read that began after a
    write of the same key had been acknowledged; `after_begun` for one that ended after one had
    begun. `saw` says which read values count as data. `refused` says that a refusal after the
    faults is as good as an acknowledgement: what is sold out cannot be bought.
    """

    writes: tuple[str, ...]
    reads: tuple[str, ...] = ("read", "truth")
    final: bool = False
    every_key: bool = False
    after_write: bool = False
    after_begun: bool = False
    saw: Callable[[Json], bool] = _anything
    refused: bool = False
    others: tuple[str, ...] = ()


def coverage_gap(
    events: Sequence[Event],
    used: Collection[str],
    workload: str,
    faults: Sequence[FaultWindow],
    need: Need,
    minimum: int,
) -> str | None:
    """Return why the history proves nothing, with what to change, or None when it does.

    `events` are in order of time, `used` are the operations among them; `minimum` of each kind must
    have come before, during and after the faults.
    """
    what = f"of workload `{workload}`"
    views = [view for view in need.reads if view in used]
    return next(_gaps(events, used, what, views, faults, need, minimum), None)


def _gaps(
    events: Sequence[Event],
    used: Collection[str],
    what: str,
    views: Sequence[str],
    faults: Sequence[FaultWindow],
    need: Need,
    minimum: int,
) -> Iterator[str]:
    yield from _unwritten(events, used, what, need)
    if need.reads and not views:
        yield f"{what.removeprefix('of ')} never read back what it wrote"
    elif need.final:
        yield from _no_final_read(events, views, need)
    elif need.reads:
        yield from _unread(events, views, what, need)
    if not faults:
        return
    yield from _around(events, _either(need.writes, used), what, faults, minimum, need)
    watched = [view for view in views if view not in AT_THE_ENDS]
    if watched and not need.final:
        hears = "subscribe" in used
        yield from _around(events, watched, what, faults, minimum, need, meanwhile=not hears)


def _unwritten(
    events: Sequence[Event], used: Collection[str], what: str, need: Need
) -> Iterator[str]:
    kinds = _either(need.writes, used)
    if not any(op in used for op in need.writes):
        yield f"no {' or '.join(kinds)} {what} was invoked"
    for kind in [*kinds, *(op for op in need.others if op in used)]:
        if not any(event.op == kind and event.type == "ok" for event in events):
            last = _last_error(events, (kind,))
            see = f"see its `{kind}` and the statuses in `ok`"
            yield f"no {kind} {what} was acknowledged{last}; {see}"


def _unread(events: Sequence[Event], views: Sequence[str], what: str, need: Need) -> Iterator[str]:
    for view in views:
        if not any(event.op == view and event.type == "ok" for event in reversed(events)):
            last = _last_error(events, (view,))
            yield f"no {view} {what} returned anything{last}; see its `{view}`{_hint(last)}"
    if not any(e.type == "ok" and e.op in views and need.saw(e.value) for e in events):
        yield f"no {' or '.join(views)} {what} saw any data; see what it extracts"
    if need.after_write and not _read_after_a_write(events, views, need):
        yield (
            f"no {' or '.join(views)} {what} began after a write of the same key had been "
            "acknowledged; use fewer keys or more reads"
        )
    elif need.after_begun and not _read_after_a_write(events, views, need):
        yield f"no {' or '.join(views)} {what} returned anything after the first {need.writes[0]}"


def _read_after_a_write(events: Sequence[Event], views: Sequence[str], need: Need) -> bool:
    """Return whether a read saw data after an acknowledged write of its key; None is any key."""
    written: set[Key] = set()
    begun: dict[int, Key] = {}  # writes that have not ended
    late: set[int] = set()  # reads that began after an acknowledged write
    met: set[int] = set()  # writes that a read met while they were under way
    for event in events:
        kind, key = event.type, event.key
        after = key in written or (key is None and bool(written))
        if event.op in views:
            if kind == "invoke" and after:
                late.add(event.id)
            elif kind == "ok" and need.saw(event.value):
                if event.id in late or (after and need.after_begun):
                    return True
                if need.after_begun:
                    met |= {write for write, of in begun.items() if key in (None, of)}
        if event.op in need.writes:
            if kind == "invoke":
                begun[event.id] = key
                continue
            begun.pop(event.id, None)
            if event.id in met and kind == "ok":
                return True
            if kind == "ok":
                written.add(key)
    return False


def _last_error(events: Sequence[Event], ops: Collection[str]) -> str:
    found = (f": {event.error}" for event in reversed(events) if event.error and event.op in ops)
    return next(found, "")


def _hint(error: str) -> str:
    if error.endswith("status 404"):
        return "; if a 404 says that there is nothing, give it `none: [404]`"
    return " and what it extracts"


def _no_final_read(events: Sequence[Event], views: Sequence[str], need: Need) -> Iterator[str]:
    last = len(events)
    while last and events[last - 1].op not in need.writes:
        last -= 1
    ended = [event for event in events[last:] if event.op in views and event.type != "invoke"]
    begun = {event.id for event in events[last:] if event.type == "invoke"}
    written: set[Key] = set()
    if need.every_key:
        written = {e.key for e in events if e.type == "ok" and e.op in need.writes}
    for view in views:
        reads = [event for event in ended if event.op == view and event.id in begun]
        errors = (event.error or "no answer" for event in reversed(reads) if event.type != "ok")
        error = next(errors, "none was tried")
        answers = [event for event in reads if event.type == "ok"]
        seen = {event.key for event in answers if need.saw(event.value)}
        unread = written - seen
        if not seen and answers:
            yield f"the final reads of `{view}` saw no data; see what it extracts"
        elif not seen:
            hint = _hint(error) if error.endswith("404") else ""
            yield f"no final read of `{view}` succeeded: {error}{hint}"
        elif unread and None not in seen:  # a read without a key is one of all keys
            yield (
                f"no final read of `{view}`{about(min(unread, key=str))} succeeded: {error} "
                f"({len(unread)} of {count(len(written), 'key')} unread)"
            )


def _around(
    events: Sequence[Event],
    ops: Sequence[str],
    workload: str,
    faults: Sequence[FaultWindow],
    minimum: int,
    need: Need,
    *,
    meanwhile: bool = True,
) -> Iterator[str]:
    """Yield which of before, during (`meanwhile`) and after the faults saw too few of these
    operations."""
    what = f"{' or '.join(ops)} {workload}"
    kinds = frozenset(ops)
    injected = min(fault.injected for fault in faults)
    before = bisect_left(events, injected, key=_time)
    enough = _upto(minimum, (e.type == "ok" and e.op in kinds for e in islice(events, before)))
    if enough < minimum:
        few = _few(enough, minimum, what)
        yield f"{few} acknowledged before the first fault; use a longer `baseline`"
    attempted = [_attempted(events, kinds, fault) for fault in faults if meanwhile]
    if meanwhile and sum(attempted) < minimum:
        few = _few(sum(attempted), minimum, what)
        yield f"{few} attempted while a fault was in force; raise its `rate`"
    for fault, tried in zip(faults, attempted, strict=False):
        if not tried and fault.healed is not None and fault.healed - fault.injected >= LONG:
            yield f"no {what} was attempted during fault `{fault.id}`; raise its `rate`"
    heals = [fault.healed for fault in faults if fault.healed is not None]
    if len(heals) < len(faults):
        yield f"a fault was never healed, so no {what} came after the faults"
        return
    good = ("ok", "fail") if need.refused else ("ok",)
    after = events[bisect_left(events, max(heals), key=_time) :]
    enough = _upto(minimum, (e.type in good and e.op in kinds for e in after))
    if enough < minimum:
        few = _few(enough, minimum, what)
        yield (
            f"{few} acknowledged after the last heal at {max(heals):.2f} s; "
            "use a longer `settle`, or see why the app did not recover"
        )


def _upto(minimum: int, which: Iterable[bool]) -> int:
    """Return how many are true, or the minimum when there are more."""
    return sum(islice(filter(None, which), minimum))


def _few(enough: int, minimum: int, what: str) -> str:
    if not enough:
        return f"no {what} was"
    return f"only {enough} of the {count(minimum, 'operation')} asked for ({what}) were"


def _attempted(events: Sequence[Event], ops: Collection[str], fault: FaultWindow) -> int:
    """Return how many operations were under way while the fault was in force."""
    begin = bisect_left(events, fault.injected, key=_time)
    end = len(events) if fault.healed is None else bisect_right(events, fault.healed, key=_time)
    inside = {event.id for event in islice(events, begin, end) if event.op in ops}
    if inside:
        return len(inside)
    opened: set[int] = set()  # those that began before it and ended after it
    for event in islice(events, begin):
        if event.op in ops:
            if event.type == "invoke":
                opened.add(event.id)
            else:
                opened.discard(event.id)
    return sum(event.id in opened for event in islice(events, end, None))


def _either(ops: Sequence[str], used: Collection[str]) -> list[str]:
    """Return the kinds that were in use, or else all of them."""
    return [op for op in ops if op in used] or list(ops)
