"""Whether more is sold than there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about, last_of, number, plain
from chaoskit.checks.histories.sums import bounded
from chaoskit.records import Event, Json, Key
from chaoskit.text import count, moment

VIEWS = ("read", "truth")
NEED = Need(
    writes=("buy",),
    reads=VIEWS,
    final=True,
    saw=lambda value: number(value) is not None,
    refused=True,
)


@dataclass(slots=True)
class _Item:
    """What was sold of one item, and by whom the first unit too many was bought."""

    key: Key
    initial: float | None
    sold: float = 0
    excess: Event | None = None


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
        start, end = history.window
        items, firsts = self._items(history.events)
        found = [one for item in items.values() if (one := _oversold(item)) is not None]
        wrong, reads = self._wrong_reads(history.events, firsts)
        found = [one for one in [*found, *wrong] if start <= one.at <= end]
        gap = None
        if any(item.initial is None for item in items.values()):
            gap = (
                f"no read of workload `{self.workload}` came before the first purchase, so the "
                "stock is not known; give it as `initial`"
            )
        sold = sum(item.sold for item in items.values())
        stock = sum(item.initial or 0 for item in items.values())
        return Judged(
            found,
            max(reads + len(items), 1),
            measured=f"{plain(sold)} sold (of {plain(stock)}, {count(len(items), 'item')})",
            sentence=self._sentence(found, items),
            worst=f"off by up to {plain(max((one.size for one in found), default=0.0))}",
            gap=gap,
        )

    def _sentence(self, found: Sequence[Anomaly], items: Mapping[Key, _Item]) -> str:
        over = [item for item in items.values() if item.excess is not None]
        if over:
            units = sum(item.sold - (item.initial or 0) for item in over)
            return (
                f"workload `{self.workload}` sold {plain(units)} more than there was, "
                f"of {count(len(over), 'item')}"
            )
        return (
            f"{count(len(found), 'read')} of workload `{self.workload}` "
            f"{'does' if len(found) == 1 else 'do'} not fit what was sold"
        )

    def _items(self, events: Sequence[Event]) -> tuple[dict[Key, _Item], dict[Key, float]]:
        """Return the items by key, and what a read showed of them before the first purchase."""
        items: dict[Key, _Item] = {}
        firsts: dict[Key, float] = {}
        pending: dict[int, tuple[_Item, Json]] = {}
        for event in events:
            key = event.key
            if event.op == "buy":
                item = items.get(key)
                if item is None:
                    initial = self.initial if self.initial is not None else firsts.get(key)
                    item = items[key] = _Item(key, initial)
                if event.type == "invoke":
                    pending[event.id] = (item, event.value)
                elif event.type == "ok" and event.id in pending:
                    _sell(event, *pending.pop(event.id))
            elif event.op in VIEWS and event.type == "ok" and key not in items:
                value = number(event.value)
                if value is not None:
                    firsts.setdefault(key, value)
        return items, firsts

    def _wrong_reads(
        self, events: Sequence[Event], firsts: Mapping[Key, float]
    ) -> tuple[list[Anomaly], int]:
        """Return the reads that show too little or, in the end, do not fit; and how many were."""
        last = last_of(events, "buy")
        initial = firsts if self.initial is None else float(self.initial)
        found: list[Anomaly] = []
        reads = 0
        for read in bounded(events, "buy", VIEWS, initial, sign=-1):
            reads += 1
            final = read.begin.t >= last
            if read.value < 0:
                text, off = "less than nothing", -read.value
            elif final and not read.low <= read.value <= read.high:
                text = f"what was sold allows {plain(read.low)} to {plain(read.high)}"
                off = max(read.low - read.value, read.value - read.high)
            else:
                continue
            text = (
                f"LEFT{about(read.begin.key)}: {read.begin.op} at {moment(read.end.t)} returned "
                f"{plain(read.value)}, {text}"
            )
            found.append(Anomaly(read.end.t, text, off))
        return found, reads


def _sell(event: Event, item: _Item, value: Json) -> None:
    item.sold += number(1 if value is None else value) or 0
    if item.excess is None and item.initial is not None and item.sold > item.initial:
        item.excess = event


def _oversold(item: _Item) -> Anomaly | None:
    if item.excess is None or item.initial is None:
        return None
    t = item.excess.t
    text = (
        f"OVERSOLD{about(item.key)}: {plain(item.sold)} acknowledged, there were "
        f"{plain(item.initial)}; the first too many at {moment(t)}"
    )
    return Anomaly(t, text, item.sold - item.initial)
