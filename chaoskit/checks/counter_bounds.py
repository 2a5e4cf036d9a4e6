"""Whether a counter counts every acknowledged increment, and none twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import number, plain
from chaoskit.checks.histories.sums import VIEWS, Additions, Bounded
from chaoskit.fields import Percentage
from chaoskit.numeric import above
from chaoskit.text import count, moment, percent

MANY = 1e15  # above it a percentage says nothing more
NEED = Need(
    writes=("increment",),
    reads=VIEWS,
    final=True,
    every_key=True,
    saw=lambda value: number(value) is not None,
)


@check("counter_bounds")
class CounterBounds(WorkloadCheck):
    """Every read of a counter lies between what was acknowledged and what was attempted.

    Below is lost: an acknowledged increment is missing. Above is counted twice. The counter starts
    at `initial`, or at what was read before the first increment, or at 0. `at_most` allows a read
    to be off by that share of what had been attempted. Usual causes: read-modify-write without a
    lock; a lost reply and a retry.
    """

    example: ClassVar[str] = "{ check: counter_bounds, workload: visits }"
    workloads: ClassVar[Mapping[str, Need]] = {"counter": NEED}
    anomalies: ClassVar[str] = "reads out of bounds"
    formal: ClassVar[str] = "lost update / double execution"
    cannot_tell: ClassVar[str] = (
        "Errors that cancel out, and anything as small as the number of increments in doubt."
    )
    remedy: ClassVar[str] = "Read the counter before, during and after the faults."

    initial: int | float | None = None
    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        bound = "acknowledged <= read <= attempted"
        return bound + (f", off by <= {self.at_most}" if self.at_most else "")

    def look(self, history: History) -> Judged:
        counter = Additions(history.events, "increment", given=self.initial, default=0)
        start, end = history.window
        found: list[Anomaly] = []
        judged = low = high = 0
        most_low = most_high = 0.0
        last: Bounded | None = None
        for read in counter.reads():
            if not start <= read.begin.t <= end:
                continue
            judged += 1
            last = read
            off = max(read.low - read.value, read.value - read.high)
            allowed = self.at_most * max(abs(read.attempted), 1)
            if not above(off, allowed if self.at_most else 0.0):
                continue
            if read.value < read.low:
                low, most_low = low + 1, max(most_low, off)
                what = f"{plain(off)} too low: lost"
            else:
                high, most_high = high + 1, max(most_high, off)
                what = f"{plain(off)} too high: counted twice"
            text = (
                f"{'LOST' if read.value < read.low else 'TWICE'}: {read.begin.op} at "
                f"{moment(read.end.t)} returned {plain(read.value)}, allowed is "
                f"{plain(read.low)} to {plain(read.high)} ({what})"
            )
            found.append(Anomaly(read.end.t, text, off))
        measured = f"{len(found)} out of bounds (of {count(judged, 'read')})"
        if found and last is not None:
            worst = max(most_low, most_high)
            part = ""
            if worst < MANY:
                part = f", {percent(int(worst), max(int(abs(last.attempted)), 1))}"
            measured = f"off by {plain(worst)}{part} (of {plain(last.attempted)} attempted)"
        return Judged(
            found,
            judged,
            measured,
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of counter `{self.workload}` "
                f"{'is' if len(found) == 1 else 'are'} out of bounds"
            ),
            worst=_worst(low, most_low, high, most_high),
            formal=self._formal(low, high),
            tail="; nobody looked before the first increment, so it was taken to begin at 0 "
            "(give `initial`)"
            if self.initial is None and not all(sums.looked for sums in counter.keys.values())
            else "",
        )

    def _formal(self, low: int, high: int) -> str:
        if low and high:
            return self.formal
        return "double execution" if high else "lost update"


def _worst(low: int, most_low: float, high: int, most_high: float) -> str:
    parts = []
    if low:
        parts.append(f"{low} too low by up to {plain(most_low)} (lost)")
    if high:
        parts.append(f"{high} too high by up to {plain(most_high)} (counted twice)")
    return ", ".join(parts)
