"""Numbers that verdicts hang on: percentiles, and bounds that binary fractions miss by a hair."""

from __future__ import annotations

from collections.abc import Sequence

TOLERANCE = 1e-9  # a bound such as 99.9% is not exact in binary


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile of values that are sorted and not empty.

    It is one of the values: the smallest that at least `percent` % of them do not exceed, so p99 of
    100 values is the 99th and p100 the largest.
    """
    rank = -(-percent * len(ordered) // 100)  # rounded up, in whole numbers
    return ordered[max(rank, 1) - 1]


def above(value: float, bound: float) -> bool:
    """Return whether a value is above a bound by more than rounding."""
    return value > bound + TOLERANCE
