"""What one series of runs of a scenario says against another: slower, failing more often, or not.

A figure is worse when chance explains it in less than 1 of 100 (adjusted for all figures of the
comparison) and it changed by a tenth or more. Otherwise it is no worse only when a change of 30%
would have been found; else it is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from chaoskit.judge.result import Result
from chaoskit.records import Verdict
from chaoskit.series.statistics import (
    findable_failures,
    findable_slowdown,
    holm,
    more_failures_by_chance,
    runs_for_failures,
    runs_for_slowdown,
    slower_by_chance,
)

ALPHA = 0.01
SMALLEST_CHANGE = 0.1  # what is less is never called worse
LARGEST_BLIND_SPOT = 0.3  # who could miss more than this does not know


class Outcome(StrEnum):
    """What is known of one figure."""

    WORSE = "worse"
    NO_WORSE = "no worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of two series: medians in seconds, or shares of failed runs.

    `change` is a share of `before` (for failed runs: of all runs), `findable` the smallest one
    that could be found, `p` the chance, adjusted for the whole comparison. `missing` counts the
    runs of both sides without the figure. `needed` is how many runs on each side would find a
    change of `LARGEST_BLIND_SPOT`, None where no number would.
    """

    name: str
    before: float | None
    after: float | None
    change: float
    findable: float
    p: float
    missing: int = 0
    needed: int | None = None

    @property
    def too_few(self) -> bool:
        """Whether there were too few runs to find a change that matters."""
        return self.findable > LARGEST_BLIND_SPOT

    @property
    def outcome(self) -> Outcome:
        if self.p < ALPHA and self.change >= SMALLEST_CHANGE:
            return Outcome.WORSE
        if self.missing or self.too_few:
            return Outcome.UNKNOWN
        return Outcome.NO_WORSE


def compare_values(
    before: Sequence[float],
    after: Sequence[float],
    name: str = "",
    *,
    missing: int = 0,
    alpha: float = ALPHA,
) -> Compared:
    """Compare two series of seconds; `alpha` is what the smallest change is told for."""
    low, high = (median(side) if side else None for side in (before, after))
    findable = findable_slowdown(before, after, alpha)
    chance = slower_by_chance(before, after)
    needed = runs_for_slowdown(before, after, alpha, LARGEST_BLIND_SPOT)
    return Compared(name, low, high, _change(low, high), findable, chance, missing, needed)


def _change(before: float | None, after: float | None) -> float:
    if before is None or after is None or before == after:
        return 0.0
    return (after - before) / before if before else math.inf


def compare(before: Sequence[Result], after: Sequence[Result]) -> list[Compared]:
    """Compare two series of runs of one scenario, neither of them empty: failed runs first."""
    sides = [[figures_of(result) for result in side] for side in (before, after)]
    names = list(dict.fromkeys(name for side in sides for figures in side for name in figures))
    alpha = ALPHA / (len(names) + 1)
    rows = [_failures(before, after, alpha)]
    for name in names:
        low, high = ([run[name] for run in side if name in run] for side in sides)
        missing = len(before) + len(after) - len(low) - len(high)
        rows.append(compare_values(low, high, name, missing=missing, alpha=alpha))
    adjusted = holm([row.p for row in rows])
    return [replace(row, p=p) for row, p in zip(rows, adjusted, strict=True)]


def _failures(before: Sequence[Result], after: Sequence[Result], alpha: float) -> Compared:
    """Compare how often runs fail. Those that are unknown are neither: they are missing."""
    judged = [
        [r.verdict for r in side if r.verdict is not Verdict.UNKNOWN] for side in (before, after)
    ]
    (low, low_runs), (high, high_runs) = ((s.count(Verdict.FAIL), len(s)) for s in judged)
    missing = len(before) + len(after) - low_runs - high_runs
    name = "failed runs"
    needed = runs_for_failures(low, low_runs, alpha, LARGEST_BLIND_SPOT)
    if not low_runs or not high_runs:
        return Compared(name, None, None, 0.0, math.inf, 1.0, missing, needed)
    shares = low / low_runs, high / high_runs
    findable = findable_failures(low, low_runs, high_runs, alpha)
    chance = more_failures_by_chance(low, low_runs, high, high_runs)
    return Compared(name, *shares, shares[1] - shares[0], findable, chance, missing, needed)


def figures_of(result: Result) -> dict[str, float]:
    """Return the figures of one run of which more is worse, in seconds, by name."""
    found = {f"{fault.id}: time to recover": fault.time_to_recover for fault in result.faults}
    found |= {f"{probe.name}: latency p99": probe.latency_p99 for probe in result.probes}
    found |= {f"{load.name}: latency p99": load.latency_p99 for load in result.workloads}
    return {name: value for name, value in found.items() if value is not None}
