"""The tests of small series against a count of every case, and how often they are right."""

from __future__ import annotations

import math
import random
from itertools import combinations
from statistics import fmean

import pytest

from chaoskit.series.compare import Outcome, compare_values
from chaoskit.series.statistics import (
    findable_failures,
    findable_slowdown,
    holm,
    more_failures_by_chance,
    share_bounds,
    slower_by_chance,
)

TRIALS = 400


def counted(before: list[float], after: list[float]) -> float:
    """Mann and Whitney's p from every way to divide the pooled values, each pair compared."""

    def wins(low: list[float], high: list[float]) -> float:
        return sum((b > a) + (b == a) / 2 for a in low for b in high)

    pooled = [*before, *after]
    ways = [
        wins(
            [pooled[i] for i in range(len(pooled)) if i not in chosen], [pooled[i] for i in chosen]
        )
        for chosen in combinations(range(len(pooled)), len(after))
    ]
    return fmean(way >= wins(before, after) for way in ways)


@pytest.mark.parametrize("seed", range(30))
def test_the_rank_test_agrees_with_a_count_of_every_division_also_with_ties(seed: int) -> None:
    draw = random.Random(seed)
    before = [float(draw.randint(1, 6)) for _ in range(draw.randint(1, 5))]
    after = [float(draw.randint(1, 8)) for _ in range(draw.randint(1, 5))]
    assert slower_by_chance(before, after) == pytest.approx(counted(before, after))


def test_the_rank_test_is_exact_for_two_separate_series() -> None:
    low, high = [float(i) for i in range(10)], [float(i) for i in range(10, 20)]
    assert slower_by_chance(low, high) == pytest.approx(1 / math.comb(20, 10))
    assert slower_by_chance(high, low) == 1


def test_fishers_test_gives_the_figures_of_the_tea() -> None:
    assert more_failures_by_chance(1, 4, 3, 4) == pytest.approx(17 / 70)
    assert more_failures_by_chance(0, 4, 4, 4) == pytest.approx(1 / 70)
    assert more_failures_by_chance(0, 5, 0, 5) == 1


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_too_few_runs_find_nothing_however_large() -> None:
    assert findable_slowdown([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], 0.01) == math.inf
    assert findable_failures(0, 3, 3, 0.01) == math.inf
    assert findable_failures(0, 10, 10, 0.01) == pytest.approx(0.6)


def outcomes(spread: float, slower: float) -> list[Outcome]:
    draw = random.Random(f"{spread} {slower}")

    def runs(middle: float) -> list[float]:
        return [max(0.01, draw.gauss(middle, spread * middle)) for _ in range(10)]

    return [compare_values(runs(1.0), runs(slower)).outcome for _ in range(TRIALS)]


@pytest.mark.parametrize("spread", [0.1, 0.2, 0.4])
def test_runs_of_the_same_speed_are_called_slower_at_most_twice_in_a_hundred(spread: float) -> None:
    assert outcomes(spread, 1.0).count(Outcome.WORSE) <= 0.02 * TRIALS


def test_a_third_slower_in_ten_steady_runs_is_found() -> None:
    assert outcomes(0.1, 1.3).count(Outcome.WORSE) >= 0.95 * TRIALS


@pytest.mark.parametrize("slower", [1.0, 1.3])
def test_runs_that_scatter_widely_are_never_called_no_worse(slower: float) -> None:
    seen = outcomes(0.4, slower)
    assert seen.count(Outcome.NO_WORSE) == 0
    assert seen.count(Outcome.UNKNOWN) >= 0.75 * TRIALS


@pytest.mark.parametrize("runs", [1, 7, 20, 60])
def test_bounds_of_a_share_hold_as_often_as_they_say(runs: int) -> None:
    """Over every true share, the bounds hold in at least 95% of all series of so many runs."""
    bounds = [share_bounds(hits, runs) for hits in range(runs + 1)]
    for percent in range(1, 100):
        share = percent / 100
        held = sum(
            math.comb(runs, hits) * share**hits * (1 - share) ** (runs - hits)
            for hits, (low, high) in enumerate(bounds)
            if low <= share <= high
        )
        assert held >= 0.949 - 0.026  # one-sided at the ends, two-sided between them


@pytest.mark.parametrize(
    ("hits", "low", "high"), [(0, 0.0, 0.1391), (3, 0.0321, 0.3789), (20, 0.8609, 1.0)]
)
def test_bounds_of_a_share_are_those_of_the_tables(hits: int, low: float, high: float) -> None:
    assert list(share_bounds(hits, 20)) == pytest.approx([low, high], abs=1e-4)
