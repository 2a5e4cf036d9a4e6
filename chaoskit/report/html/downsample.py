"""Thinning out what a screen cannot show, without losing what stands out."""

from __future__ import annotations

from collections.abc import Sequence


def extremes(
    t: Sequence[float], y: Sequence[float], span: tuple[float, float], columns: int
) -> tuple[list[float], list[float]]:
    """Return the lowest and the highest value of each of `columns` equal stretches of `span`, in
    order of time; all values where there are no more than that. No outlier is ever left out."""
    if len(t) <= 2 * columns:
        return list(t), list(y)
    start, width = span[0], max((span[1] - span[0]) / columns, 1e-9)
    lowest: dict[int, int] = {}
    highest: dict[int, int] = {}
    for number, (when, value) in enumerate(zip(t, y, strict=True)):
        column = int((when - start) / width)
        low = lowest.get(column)
        if low is None:
            lowest[column] = highest[column] = number
        elif value < y[low]:
            lowest[column] = number
        elif value > y[highest[column]]:
            highest[column] = number
    kept = sorted({*lowest.values(), *highest.values()}, key=lambda number: (t[number], number))
    return [t[number] for number in kept], [y[number] for number in kept]


def evenly(count: int, most: int) -> Sequence[int]:
    """Return at most `most` of `count` positions, evenly over all of them."""
    if count <= most:
        return range(count)
    return [number * count // most for number in range(most)]
