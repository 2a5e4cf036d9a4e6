"""Which oracle judges which check, on which random histories, and what a pass of it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.judging.oracles import (
    banks,
    counters,
    feeds,
    locks,
    queues,
    registers,
    sets,
    stocks,
    versions,
)
from tests.judging.oracles.case import Answer, Case
from tests.judging.oracles.enough import proves_nothing


@dataclass(frozen=True)
class Oracle:
    """One check on one kind of history; `vacuous` says why a pass would prove nothing."""

    kind: str
    check: str
    cases: Callable[[Random], Case]
    answer: Callable[[Case], Answer]
    vacuous: Callable[[Case], str]

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.check}"

    def case(self, number: int) -> Case:
        """Return the case of this number: always the same."""
        return self.cases(Random(f"{self.name} {number}"))


def _or(
    first: Callable[[Case], str], why: str, second: Callable[[Case], bool]
) -> Callable[..., str]:
    return lambda case: first(case) or (why if second(case) else "")


_set = partial(proves_nothing, writes=("add",), reads=("read", "truth"), final=True)
_counter = partial(proves_nothing, writes=("increment",), reads=("read", "truth"), final=True)
_versions = partial(proves_nothing, writes=("write",), reads=("read", "truth"))
_register = partial(proves_nothing, writes=("write", "cas"), reads=("read", "cas"))
_bank = partial(proves_nothing, writes=("transfer",), reads=("read", "truth"), final=True)
_stock = partial(
    proves_nothing, writes=("buy",), reads=("read", "truth"), final=True, refusals_count=True
)
_queue = partial(proves_nothing, writes=("send",), reads=("receive", "drain"))
_lock = partial(proves_nothing, writes=("acquire",), also=("release",))
_feed = partial(proves_nothing, writes=("publish",), reads=("receive",))
_learnt = partial(proves_nothing, writes=("publish",), reads=("receive", "resync"))

ORACLES = (
    Oracle("set", "no_loss", sets.cases, sets.no_loss, _set),
    Oracle("set", "no_duplicates", sets.cases, sets.no_duplicates, _set),
    Oracle("set", "no_phantoms", sets.phantom_cases, sets.no_phantoms, _set),
    Oracle("counter", "counter_bounds", counters.cases, counters.counter_bounds, _counter),
    Oracle(
        "versions",
        "read_your_writes",
        versions.share_cases,
        versions.read_your_writes,
        partial(proves_nothing, writes=("write",), reads=("read",)),
    ),
    Oracle(
        "versions", "never_goes_back", versions.share_cases, versions.never_goes_back, _versions
    ),
    Oracle(
        "versions",
        "fresh_within",
        versions.fresh_cases,
        versions.fresh_within,
        _or(_versions, "no read of what was written", versions.saw_nothing_of_its_own),
    ),
    Oracle("versions", "converges", versions.converges_cases, versions.converges, _versions),
    Oracle("versions", "no_phantoms", versions.phantom_cases, versions.no_phantoms, _versions),
    Oracle(
        "register",
        "linearizable",
        registers.cases,
        registers.linearizable,
        _or(
            _register, "nothing was read after a write", lambda c: not registers.read_after_write(c)
        ),
    ),
    Oracle("bank", "conserved", banks.cases, banks.conserved, _bank),
    Oracle("bank", "never_negative", banks.floor_cases, banks.never_negative, _bank),
    Oracle("stock", "never_oversold", stocks.cases, stocks.never_oversold, _stock),
    Oracle("queue", "no_loss", queues.share_cases, queues.no_loss, _queue),
    Oracle(
        "queue", "at_most_n_duplicates", queues.duplicate_cases, queues.at_most_n_duplicates, _queue
    ),
    Oracle(
        "queue",
        "order",
        queues.share_cases,
        queues.order,
        _or(_queue, "fewer than two messages", queues.too_few_to_have_an_order),
    ),
    Oracle("queue", "no_phantoms", queues.phantom_cases, queues.no_phantoms, _queue),
    Oracle("lock", "mutual_exclusion", locks.cases, locks.mutual_exclusion, _lock),
    Oracle(
        "lock",
        "fencing",
        locks.cases,
        locks.fencing,
        _or(_lock, "most acquisitions gave no token", locks.few_tokens),
    ),
    Oracle("events", "no_gaps", feeds.gap_cases, feeds.no_gaps, _learnt),
    Oracle(
        "events",
        "order",
        feeds.order_cases,
        feeds.order,
        _or(_feed, "fewer than two messages", feeds.too_few_to_have_an_order),
    ),
    Oracle(
        "events", "at_most_n_duplicates", feeds.duplicate_cases, feeds.at_most_n_duplicates, _feed
    ),
    Oracle("events", "resync", feeds.resync_cases, feeds.resync, _learnt),
)
