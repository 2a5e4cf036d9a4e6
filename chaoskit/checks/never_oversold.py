"""Whether more is sold than there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about, number, pairs, plain
from chaoskit.checks.histories.sums import VIEWS, Additions, Bounded, Sums
from chaoskit.records import Event, Key
from chaoskit.text import count, moment

NEED = Need(
    writes=("buy",),
    reads=VIEWS,
    final=True,
    every_key=True,
    saw=lambda value: number(value) is not None,
    refused=True,
)


@check("never_oversold")
class NeverOversold(WorkloadCheck):
    """No more is sold than there was, and what is left fits what was sold.

    Acknowledged purchases of an item add up to at most its stock: what was read before the first
    purchase, or `initial`. No read shows less than 0, and the final reads show the stock less what
    was bought; a purchase without a clear answer may have happened or not. `during` picks the
    moments at which too much was sold or too little was shown. Usual causes: two purchases that
    both look first and then both take the last one.
    """

    example: ClassVar[str] = "{ check: never_oversold, workload: tickets }"
    workloads: ClassVar[Mapping[str, Need]] = {"stock": NEED}
    anomalies: ClassVar[str] = "violations"
    formal: ClassVar[str] = "write skew / lost update: Warszawski & Bailis 2017"
    cannot_tell: ClassVar[str] = "Anything about an item that never came close to being sold out."
    remedy: ClassVar[str] = (
        "Give the `initial` stock, or read it before the first purchase; try to buy more than "
        "there is."
    )

    initial: int | float | None = None

    @property
    def bound(self) -> str:
        return "sold <= stock"

    def look(self, history: History) -> Judged:
        events, (start, end) = history.events, history.window
        stock = Additions(events, "buy", given=self.initial, sign=-1)
        reads = [read for read in stock.reads() if start <= read.begin.t <= end]
        items = {key: sums for key, sums in stock.keys.items() if sums.begun}
        over = {key: sums for key, sums in items.items() if _left(sums) < 0}
        found = [_oversold(events, key, sums) for key, sums in over.items()]
        found = [one for one in found if start <= one.at <= end]
        sold = -sum(sums.acknowledged for sums in items.values())
        there = sum(sums.initial or 0 for sums in items.values())
        sentence = f"workload `{self.workload}` sold {plain(-sum(map(_left, over.values())))} more "
        sentence += f"than there was, of {count(len(over), 'item')}"
        wrong = [one for read in reads if (one := _wrong(read)) is not None]
        if not over:
            sentence = (
                f"{count(len(wrong), 'read')} of workload `{self.workload}` "
                f"{'does' if len(wrong) == 1 else 'do'} not fit what was sold"
            )
        gap = None
        notes: tuple[str, ...] = ()
        if any(sums.initial is None for sums in items.values()):
            gap = (
                f"no read of workload `{self.workload}` came before the first purchase, so the "
                "stock is not known; give it as `initial`"
            )
        elif all((sums.initial or 0) + sums.down_tried > 0 for sums in items.values()):
            notes = ("no item could be sold out: nobody tried to buy as much as there was",)
        return Judged(
            found + wrong,
            len(reads) + len(found),
            measured=f"{plain(sold)} sold (of {plain(there)}, {count(len(items), 'item')})",
            sentence=sentence,
            worst=f"off by up to {plain(max((one.size for one in found + wrong), default=0.0))}",
            gap=gap,
            notes=notes,
        )


def _left(sums: Sums) -> float:
    """Return what is left of an item after the acknowledged purchases; negative: oversold."""
    return 0 if sums.initial is None else sums.initial + sums.acknowledged


def _oversold(events: Sequence[Event], key: Key, sums: Sums) -> Anomaly:
    """Return by which purchase more was sold of an item than there was."""
    initial = sums.initial or 0
    sold: float = 0
    first = events[-1]
    for begin, end in pairs(events, ("buy",)):
        if end is not None and end.type == "ok" and end.key == key:
            sold += number(1 if begin.value is None else begin.value) or 0
            if sold > initial:
                first = end
                break
    text = (
        f"OVERSOLD{about(key)}: {plain(-sums.acknowledged)} acknowledged, there were "
        f"{plain(initial)}; the first too many at {moment(first.t)}"
    )
    return Anomaly(first.t, text, -sums.acknowledged - initial)


def _wrong(read: Bounded) -> Anomaly | None:
    """Return what is wrong with a read that shows too little or, in the end, does not fit."""
    if read.value < 0:
        text, off = "less than nothing", -read.value
    elif read.final and not read.low <= read.value <= read.high:
        text = f"what was sold allows {plain(read.low)} to {plain(read.high)}"
        off = max(read.low - read.value, read.value - read.high)
    else:
        return None
    text = (
        f"LEFT{about(read.begin.key)}: {read.begin.op} at {moment(read.end.t)} returned "
        f"{plain(read.value)}, {text}"
    )
    return Anomaly(read.end.t, text, off)
