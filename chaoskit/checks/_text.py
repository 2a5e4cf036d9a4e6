"""Numbers in findings: short, and never rounded to the other side of their bound."""

from __future__ import annotations

import math

from chaoskit.fields import seconds_text
from chaoskit.numeric import TOLERANCE, above


def moment(t: float) -> str:
    """Return a point of the run clock, to 10 ms."""
    return f"{t:.2f} s"


def length(seconds: float, bound: float | None = None) -> str:
    """Return a length of time to three digits, or more where three would cross the `bound`."""
    shown = float(f"{seconds:.3g}") if seconds < 60 else round(seconds, 1)
    if bound is not None and above(shown, bound) != above(seconds, bound):
        return f"{seconds:.6g}s"
    return seconds_text(seconds)


def percent(part: int, whole: int, bound: float | None = None) -> str:
    """Return part/whole as a percentage, rounded down; `bound` is a share between 0 and 1.

    Rounded down, so that 100% means all of them; with more digits where fewer would make a value
    look as if it were on the other side of the bound.
    """
    share = 100 * part / whole
    text = f"{share:g}%"
    for digits in range(1, 8):
        scale = 10**digits
        shown = math.floor(share * scale + TOLERANCE) / scale
        text = f"{shown:.{digits}f}".rstrip("0").rstrip(".") + "%"
        crossed = bound is not None and _side(shown, 100 * bound) != _side(share, 100 * bound)
        vanished = shown == 0 and part > 0
        if not crossed and not vanished:
            break
    return text


def _side(value: float, bound: float) -> tuple[bool, bool]:
    return above(value, bound), above(bound, value)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 sample`, `2 samples`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
