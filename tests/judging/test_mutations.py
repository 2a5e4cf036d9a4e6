"""One event of a good history is dropped, doubled, swapped, made stale or moved: it is noticed.

Every check has its rows here. A row names the operations it changes and runs for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from msgspec import structs

from chaoskit.checks._base import REGISTRY, WorkloadCheck
from chaoskit.records import Event, Evidence, Finding, Verdict
from tests.judging.histories import (
    FAULT,
    GOOD,
    Op,
    _swap,
    changed,
    events,
    places,
    with_back,
)

CHECKS = sorted(
    (kind.kind, history)
    for kind in REGISTRY
    if issubclass(kind, WorkloadCheck)
    for history in GOOD
    if ("register" if history == "cas" else history) in kind.workloads
)


def judge(check: str, history: Sequence[Event], **fields: Any) -> Finding:
    kind = REGISTRY.get(check)
    assert kind is not None
    made = kind.model_validate({"check": check, "workload": "w", **fields})
    return made.judge(Evidence((), (FAULT,), history={"w": history}))


@pytest.mark.parametrize(("check", "history"), CHECKS)
def test_a_good_history_passes(check: str, history: str) -> None:
    found = judge(check, events(GOOD[history]()))
    assert (found.verdict, found.reason) == (Verdict.PASS, None)


def test_every_check_over_a_history_has_a_mutation_that_fails_it() -> None:
    assert {row.check for row in ROWS} == {check for check, _ in CHECKS}


Change = Callable[[Sequence[Op]], Iterator[list[Op]]]


@dataclass(frozen=True)
class Row:
    """A mutation: of which history, which check must notice it, and all ways to make it."""

    name: str
    history: str
    check: str
    change: Change
    fields: dict[str, Any] = field(default_factory=dict)


def each(
    op: str,
    how: Callable[[Op], Op | None],
    *,
    after: float = 0.0,
    before: float = 99.0,
    doubled: bool = False,
) -> Change:
    """Change every good operation of one kind, one at a time."""

    def make(ops: Sequence[Op]) -> Iterator[list[Op]]:
        found = [place for place in places(ops, op, after=after) if ops[place].start < before]
        assert found
        for place in found:
            yield changed(ops, place, how, doubled=doubled)

    return make


def drop(_op: Op) -> None:
    return None


def again(op: Op) -> Op:
    assert op.end is not None
    return replace(op, start=op.start + 0.01, end=op.end + 0.01)


def back(by: int) -> Callable[[Op], Op]:
    return with_back(lambda value: value - by if isinstance(value, int) else value)


def in_list(change: Callable[[list[Any]], list[Any]]) -> Callable[[Op], Op]:
    return with_back(lambda value: change(list(value)) if isinstance(value, list) else value)


twice = in_list(lambda values: [*values, values[4]])
one_more = in_list(lambda values: [*values, 7])


def account(by: int) -> Callable[[Op], Op]:
    return with_back(
        lambda value: {**value, "a": value["a"] + by} if isinstance(value, dict) else value
    )


def moved(op: Op) -> Op:
    return replace(op, back={"a": 10, "b": 0, "c": 0} if isinstance(op.back, dict) else op.back)


def apart(seconds: float) -> Callable[[Op], Op]:
    """Move an operation in time: reordered."""
    return lambda op: replace(op, start=op.start + seconds, end=(op.end or 0) + seconds)


def swapped(op: str, pick: slice) -> Change:
    """Let two neighbouring operations return what the other one returned."""

    def make(ops: Sequence[Op]) -> Iterator[list[Op]]:
        for one, two in list(zip(places(ops, op), places(ops, op)[1:], strict=False))[pick]:
            found = list(ops)
            found[one], found[two] = (
                replace(ops[one], back=ops[two].back),
                replace(ops[two], back=ops[one].back),
            )
            if ops[one].back != ops[two].back and ops[one].process == ops[two].process:
                yield found

    return make


def first_stale(ops: Sequence[Op]) -> Iterator[list[Op]]:
    """Let reads of process 2 after the first one return the version before."""
    for place in [n for n in places(ops, "read", after=1.0) if ops[n].process == 2]:
        yield changed(ops, place, back(2))


def third_stale(ops: Sequence[Op]) -> Iterator[list[Op]]:
    """Let reads after the write return the value before."""
    for place in [n for n in places(ops, "read", after=1.0) if ops[n].process == 2]:
        yield changed(ops, place, back(1))


def own_stale(ops: Sequence[Op]) -> Iterator[list[Op]]:
    for place in [n for n in places(ops, "read", after=1.0) if ops[n].process != 2]:
        yield changed(ops, place, back(1))


def unreleased_twice(ops: Sequence[Op]) -> Iterator[list[Op]]:
    """Let a holder release later than the next one acquires."""
    for place in places(ops, "release")[:-1]:
        yield changed(ops, place, apart(0.4))


def _pairs(ops: Sequence[Op], op: str) -> Iterator[tuple[int, int]]:
    """Yield neighbouring operations of one process and key."""
    by: dict[object, int] = {}
    for place in places(ops, op, after=0.6):
        who = (ops[place].process, str(ops[place].key))
        if who in by:
            yield by[who], place
        by[who] = place


def _exchange(ops: Sequence[Op], op: str) -> Iterator[list[Op]]:
    for one, two in _pairs(ops, op):
        if ops[one].back != ops[two].back:
            found = list(ops)
            found[one] = replace(ops[one], back=ops[two].back)
            found[two] = replace(ops[two], back=ops[one].back)
            yield found


def _swap_reads(ops: Sequence[Op]) -> Iterator[list[Op]]:
    return _exchange(ops, "read")


def _swap_receives(ops: Sequence[Op]) -> Iterator[list[Op]]:
    return _exchange(ops, "receive")


def _swap_tokens(ops: Sequence[Op]) -> Iterator[list[Op]]:
    return _exchange(ops, "acquire")


def _drains(ops: Sequence[Op], change: Callable[[list[Any]], list[Any]]) -> Iterator[list[Op]]:
    for place in places(ops, "drain"):
        if ops[place].back:
            yield changed(ops, place, in_list(change))


def _doubled_drains(ops: Sequence[Op]) -> Iterator[list[Op]]:
    return _drains(ops, lambda values: [*values, values[0]])


def _late_receives(ops: Sequence[Op]) -> Iterator[list[Op]]:
    for place in places(ops, "receive")[:-2]:
        yield changed(ops, place, apart(1.6))


def _late_events(ops: Sequence[Op]) -> Iterator[list[Op]]:
    for place in places(ops, "receive")[4:-4]:
        yield (
            changed(ops, place, apart(0.55))
            if not 9 < ops[place].start < 12
            else list(changed(ops, places(ops, "receive")[6], apart(0.55)))
        )


def _early_acquires(ops: Sequence[Op]) -> Iterator[list[Op]]:
    for place in places(ops, "acquire")[1:]:
        yield changed(ops, place, apart(-0.37))


def _second_holders(ops: Sequence[Op]) -> Iterator[list[Op]]:
    for place in places(ops, "acquire")[1:-1]:
        op = ops[place]
        other = replace(op, process=5, start=op.start + 0.11, end=op.start + 0.12)
        release = Op("release", op.start + 0.2, op.start + 0.22, 5, op.key, 0)
        yield [*ops, other, release]


S1, S100 = {"within": "1s"}, {"within": "100ms"}
ROWS = [
    Row("drop", "set", "no_loss", each("truth", in_list(lambda v: v[:7] + v[8:]), after=22)),
    Row("drop a read's", "set", "no_loss", each("read", in_list(lambda v: v[1:]), after=22)),
    Row("duplicate", "set", "no_duplicates", each("truth", twice, after=21)),
    Row("swap for another", "set", "no_phantoms", each("read", one_more, after=21)),
    Row("drop an add", "set", "no_phantoms", each("add", drop)),
    Row("refuse an add", "set", "no_phantoms", each("add", lambda op: replace(op, how="fail"))),
    Row("drop an increment", "counter", "counter_bounds", each("increment", drop)),
    Row("double an increment", "counter", "counter_bounds", each("increment", again, doubled=True)),
    Row("stale", "counter", "counter_bounds", each("read", back(1), after=1)),
    Row("counted twice", "counter", "counter_bounds", each("read", back(-1), after=1)),
    Row("swap", "counter", "counter_bounds", swapped("read", slice(1, None))),
    Row("reorder", "counter", "counter_bounds", each("increment", apart(0.35))),
    Row("stale", "versions", "read_your_writes", own_stale),
    Row("reorder", "versions", "read_your_writes", each("write", apart(-0.47), after=1)),
    Row("stale", "versions", "never_goes_back", first_stale),
    Row("swap", "versions", "never_goes_back", _swap_reads),
    Row("stale", "versions", "fresh_within", first_stale, S100),
    Row("reorder", "versions", "fresh_within", each("write", apart(-0.47), after=1), S100),
    Row("stale", "versions", "converges", each("read", back(1), after=31), S1),
    Row("stale store", "versions", "converges", each("truth", back(1), after=31), S1),
    Row("drop", "versions", "converges", each("read", with_back(lambda _: None), after=31), S1),
    Row("from nowhere", "versions", "no_phantoms", each("read", back(-900))),
    Row("drop", "versions", "no_phantoms", each("write", drop, after=1)),
    Row("stale", "register", "linearizable", third_stale),
    Row("from the future", "register", "linearizable", each("read", back(-1))),
    Row("drop", "register", "linearizable", each("write", drop, after=1)),
    Row("swap", "register", "linearizable", _swap_reads),
    Row("reorder", "register", "linearizable", each("write", apart(0.35), after=1)),
    Row("stale", "cas", "linearizable", each("read", back(1), after=1)),
    Row("drop", "cas", "linearizable", each("cas", drop)),
    Row("duplicate", "cas", "linearizable", each("cas", lambda op: apart(0.11)(op), doubled=True)),
    Row("reorder", "cas", "linearizable", each("cas", apart(0.35))),
    Row("lose money", "bank", "conserved", each("read", account(-1))),
    Row("make money", "bank", "conserved", each("truth", account(1))),
    Row("drop", "bank", "conserved", each("transfer", drop)),
    Row("duplicate", "bank", "conserved", each("transfer", again, doubled=True)),
    Row("stale", "bank", "conserved", each("truth", moved)),
    Row("overdraw", "bank", "never_negative", each("read", account(-100))),
    Row("sell twice", "stock", "never_oversold", each("buy", again, doubled=True)),
    Row("drop", "stock", "never_oversold", each("buy", drop)),
    Row("below nothing", "stock", "never_oversold", each("read", back(60), after=1)),
    Row("stale", "stock", "never_oversold", each("truth", back(-1))),
    Row("drop", "queue", "no_loss", each("receive", with_back(lambda _: None))),
    Row("drop in a list", "queue", "no_loss", lambda ops: _drains(ops, lambda v: v[1:])),
    Row("duplicate", "queue", "at_most_n_duplicates", each("receive", again, doubled=True)),
    Row("duplicate in a list", "queue", "at_most_n_duplicates", _doubled_drains),
    Row("swap", "queue", "order", swapped("receive", slice(None))),
    Row("swap in a list", "queue", "order", lambda ops: _drains(ops, _swap)),
    Row("reorder", "queue", "order", _late_receives),
    Row("from nowhere", "queue", "no_phantoms", each("receive", back(-900))),
    Row("drop a send", "queue", "no_phantoms", each("send", drop)),
    Row("drop", "events", "no_gaps", each("receive", drop, before=18)),
    Row("drop a resync", "events", "no_gaps", each("resync", drop)),
    Row("resync less", "events", "no_gaps", each("resync", in_list(lambda v: v[1:]))),
    Row("duplicate", "events", "at_most_n_duplicates", each("receive", again, doubled=True)),
    Row("swap", "events", "order", _swap_receives),
    Row("reorder", "events", "order", _late_events),
    Row("drop", "events", "resync", each("resync", drop)),
    Row("late", "events", "resync", each("resync", apart(5.2))),
    Row("less", "events", "resync", each("resync", in_list(lambda v: v[:-1]))),
    Row("hold longer", "lock", "mutual_exclusion", unreleased_twice),
    Row("acquire earlier", "lock", "mutual_exclusion", _early_acquires),
    Row("duplicate", "lock", "mutual_exclusion", _second_holders),
    Row("stale token", "lock", "fencing", each("acquire", back(1), after=1)),
    Row("swap", "lock", "fencing", _swap_tokens),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.history}-{row.name}")
def test_a_mutation_is_noticed(row: Row) -> None:
    tried = 0
    for ops in row.change(GOOD[row.history]()):
        tried += 1
        found = judge(row.check, events(ops), **row.fields)
        assert found.verdict is Verdict.FAIL, (tried, found)
        assert found.reason
        assert found.reason.endswith("]")
        assert 1 <= len(found.witness) <= 6
        assert found.at is not None
    assert tried
    kind = REGISTRY.get(row.check)
    assert kind is not None
    assert kind.formal


@pytest.mark.parametrize(("check", "history"), CHECKS)
def test_leaving_out_any_one_event_never_breaks_a_check(check: str, history: str) -> None:
    good = events(GOOD[history]())
    for place in range(len(good)):
        judge(check, good[:place] + good[place + 1 :])


@pytest.mark.parametrize(("check", "history"), CHECKS)
def test_values_of_the_wrong_shape_never_pass_and_never_crash_but_a_cas(
    check: str, history: str
) -> None:
    for nonsense in (None, "x", [], {}, True, -1.5, [[1]], {"a": "b"}):
        garbled = [structs.replace(one, value=nonsense) for one in events(GOOD[history]())]
        if history == "cas" and not (isinstance(nonsense, list) and len(nonsense) == 2):
            continue
        judge(check, garbled)
