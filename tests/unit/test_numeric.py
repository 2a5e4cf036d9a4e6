"""Percentiles against values ranked by hand, and bounds against rounding."""

from __future__ import annotations

import pytest

from chaoskit.numeric import above, percentile

HUNDRED = [float(n) for n in range(1, 101)]
FIVE = [15.0, 20.0, 35.0, 40.0, 50.0]  # the textbook example of the nearest-rank method


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        (HUNDRED, 99, 99.0),
        (HUNDRED, 95, 95.0),
        (HUNDRED, 50, 50.0),
        (HUNDRED, 1, 1.0),
        (HUNDRED, 100, 100.0),
        ([*HUNDRED, 101.0], 99, 100.0),  # 99.99 ranks up
        (HUNDRED[:50], 99, 50.0),
        (HUNDRED[:2], 50, 1.0),
        (HUNDRED[:3], 50, 2.0),
        (FIVE, 5, 15.0),
        (FIVE, 30, 20.0),
        (FIVE, 40, 20.0),
        (FIVE, 50, 35.0),
        (FIVE, 100, 50.0),
        ([7.0], 50, 7.0),
        ([7.0], 99, 7.0),
        ([1.0, 1.0, 9.0], 0, 1.0),
    ],
)
def test_a_percentile_is_the_value_of_the_nearest_rank(
    values: list[float], percent: int, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_what_only_rounding_puts_above_a_bound_is_not_above_it() -> None:
    assert not above(0.1 + 0.2, 0.3)
    assert above(0.3001, 0.3)
    assert not above(0.3, 0.3)
