"""Exact tests for small series of runs, and the smallest change that they could find.

Nothing here knows what a run is. Values are seconds or anything else of which more is worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import NormalDist, fmean, variance

_POWER = 0.8  # the chance with which a change is found that is called findable
_MOST_RUNS = 500  # on each side: nobody makes more to compare two variants


def slower_by_chance(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the one-sided p of Mann and Whitney: how likely `after` ranks as high as it does, or
    higher, when both come from one distribution. Without values on a side that is 1.

    Exact, also with ties: the distribution of the sum of mid-ranks over all ways to divide the
    pooled values (the shift algorithm: Streitberg and Röhmel, 1986). The counts of all sums are
    held in one integer, each in `width` bits, so that adding a rank is one shift and one addition.
    """
    ranks = _doubled_midranks([*before, *after])
    observed = sum(ranks[len(before) :])
    width = len(ranks) + 1  # no count is above 2 ** len(ranks)
    ways = [1] + [0] * len(after)  # ways[k]: how k of the ranks so far can be chosen, by their sum
    for rank in ranks:
        for chosen in range(len(after), 0, -1):
            ways[chosen] += ways[chosen - 1] << (width * rank)
    tail, as_high = ways[-1] >> (width * observed), 0
    while tail:
        as_high += tail & ((1 << width) - 1)
        tail >>= width
    return as_high / math.comb(len(ranks), len(after))


def _doubled_midranks(values: Sequence[float]) -> list[int]:
    """Return the rank of each value, from 2, doubled so that the middle of a tie is whole."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    first = 1
    for _, tied in groupby(order, key=values.__getitem__):
        places = list(tied)
        for place in places:
            ranks[place] = 2 * first + len(places) - 1
        first += len(places)
    return ranks


def more_failures_by_chance(
    failed_before: int, runs_before: int, failed_after: int, runs_after: int
) -> float:
    """Return the one-sided p of Fisher's exact test: how likely so many of all failures, or more,
    fall on the later runs when both fail equally often."""
    failed, runs = failed_before + failed_after, runs_before + runs_after
    as_many = sum(
        math.comb(runs_after, k) * math.comb(runs_before, failed - k)
        for k in range(failed_after, min(failed, runs_after) + 1)
    )
    return as_many / math.comb(runs, failed)


def holm(chances: Sequence[float]) -> list[float]:
    """Return each p adjusted for all of them together (Holm, 1979), in the order given."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted = [0.0] * len(chances)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - place) * chances[index]))
        adjusted[index] = highest
    return adjusted


def findable_slowdown(before: Sequence[float], after: Sequence[float], alpha: float) -> float:
    """Return the smallest slow-down, as a share of `before`, found four times in five at `alpha`.

    Noether's approximation (1987) for values that scatter normally, as far as these do; infinite
    when no order of so few values is rare enough.
    """
    if min(len(before), len(after)) < 2:
        return math.inf
    return _findable(len(before), len(after), _spread(before, after), alpha)


def _findable(before: int, after: int, spread: float, alpha: float) -> float:
    runs = before + after
    if 1 / math.comb(runs, after) >= alpha:
        return math.inf
    normal = NormalDist()
    needed = normal.inv_cdf(1 - alpha) + normal.inv_cdf(_POWER)
    above_half = needed * math.sqrt(runs / (12 * before * after))
    if above_half >= 0.5:
        return math.inf
    return normal.inv_cdf(0.5 + above_half) * math.sqrt(2) * spread


def _spread(*sides: Sequence[float]) -> float:
    """Return how far values scatter, as a share of their mean; 0 where no side has two of them."""
    known = [_relative_variance(side) for side in sides if len(side) > 1]
    return math.sqrt(fmean(known)) if known else 0.0


def runs_for_slowdown(
    before: Sequence[float], after: Sequence[float], alpha: float, change: float
) -> int | None:
    """Return with how many runs on each side a slow-down by `change`, a share, would be found, when
    they scatter as these do; None when not even the most that are thought of would do."""
    spread = _spread(before, after)
    return _fewest(lambda runs: _findable(runs, runs, spread, alpha) <= change)


def runs_for_failures(failed: int, runs: int, alpha: float, change: float) -> int | None:
    """Return with how many runs on each side failures would be found that are more often by
    `change`, a share of the runs, than so many of so many; None as in `runs_for_slowdown`."""
    share = failed / runs if runs else 0.0

    def found(each: int) -> bool:
        return findable_failures(round(share * each), each, each, alpha) <= change

    return _fewest(found) if share + change <= 1 else None


def _fewest(enough: Callable[[int], bool]) -> int | None:
    return next((runs for runs in range(2, _MOST_RUNS + 1) if enough(runs)), None)


def _relative_variance(values: Sequence[float]) -> float:
    try:
        scatter, middle = variance(values), fmean(values)
        if scatter == 0:
            return 0.0
        return scatter / middle**2
    except (OverflowError, ZeroDivisionError):  # a stored figure may be any number
        return math.inf


def findable_failures(failed_before: int, runs_before: int, runs_after: int, alpha: float) -> float:
    """Return by how much, as a share of the runs, failures must be more often to be found at
    `alpha`; infinite when not even a failure of all of them would be."""
    for failed in range(runs_after + 1):
        if more_failures_by_chance(failed_before, runs_before, failed, runs_after) < alpha:
            return failed / runs_after - failed_before / runs_before
    return math.inf


def most_failures(failed: int, runs: int, confidence: float = 0.95) -> float:
    """Return the largest share of failing runs under which so few of them, or fewer, would still be
    seen as often as 1 - `confidence`: the one-sided bound of Clopper and Pearson (1934)."""
    if failed >= runs:
        return 1.0
    return _share_where(lambda share: _at_most(failed, runs, share) <= 1 - confidence)


def share_bounds(hits: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return between which shares the true one lies, after so many hits in so many runs.

    Exact (Clopper and Pearson, 1934): one-sided where all runs or none are hits, so that 0 of 20
    means less than 14%, which the rule of three calls 3/20.
    """
    alpha = 1 - confidence
    if hits == 0:
        return 0.0, 1 - alpha ** (1 / runs)
    if hits == runs:
        return alpha ** (1 / runs), 1.0
    low = _share_where(lambda share: 1 - _at_most(hits - 1, runs, share) >= alpha / 2)
    high = _share_where(lambda share: _at_most(hits, runs, share) <= alpha / 2)
    return low, high


def _at_most(hits: int, runs: int, share: float) -> float:
    """Return how likely at most so many hits are."""
    return math.fsum(
        math.comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(hits + 1)
    )


def _share_where(reached: Callable[[float], bool]) -> float:
    """Return the smallest share at which something is true that stays true for all above."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
