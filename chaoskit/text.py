"""Text for people: one line of it, counts, lists, percentages, moments and lengths of time."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from decimal import Decimal

from chaoskit.numeric import TOLERANCE, above

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the text around them
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{BIDI}\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Return `text` without terminal sequences, without what XML and terminals cannot show, and
    without what makes text look like another one. Whatever reaches a terminal goes through it.

    Line ends and tabs stay. The rest of Unicode stays.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    return _CONTROL.sub("", text)


def one_line(text: str, limit: int | None = None) -> str:
    """Return the `printable` text on one line, cut with `...` at `limit` characters."""
    text = " ".join(printable(text).split())
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


def last_words(text: str, limit: int) -> str:
    """Return at most the last `limit` characters of a text, on one line."""
    return one_line(text)[-limit:]


def shown(value: object) -> str:
    """Return a JSON value the way an error quotes it: text in single quotes, the rest as JSON."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    return one_line(text, 80)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 sample`, `2 samples`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listed(options: Collection[str], most: int = 30) -> str:
    """Return the options in backticks, separated by commas; `...` stands for those after `most`."""
    names = [f"`{option}`" for option in list(options)[:most]]
    return ", ".join(names) + (", ..." if len(options) > most else "")


def decimal(number: float, digits: int) -> str:
    """Return a number with this many significant digits and never an exponent."""
    return format(Decimal(f"{number:.{digits}g}"), "f")


def percent(part: int, whole: int, bound: float | None = None) -> str:
    """Return part/whole as a percentage, rounded down; `bound` is a fraction between 0 and 1.

    Rounded down, so that 100% means all of them; with more digits where fewer would make a value
    look as if it were on the other side of the bound.
    """
    share = 100 * part / whole
    text = f"{share:g}%"
    for digits in range(1, 8):
        scale = 10**digits
        rounded = math.floor(share * scale + TOLERANCE) / scale
        text = f"{rounded:.{digits}f}".rstrip("0").rstrip(".") + "%"
        crossed = bound is not None and _side(rounded, 100 * bound) != _side(share, 100 * bound)
        vanished = rounded == 0 and part > 0
        if not crossed and not vanished:
            break
    return text


def in_brackets(part: int, whole: int, bound: float | None = None) -> str:
    """Return ` (1.2%)` for the end of a sentence, nothing where there is no whole."""
    return f" ({percent(part, whole, bound)})" if whole else ""


def aside(*parts: str | None) -> str:
    """Return ` (status 404, GET http://web/)` for the end of a sentence, without what is empty."""
    there = [part for part in parts if part]
    return f" ({', '.join(there)})" if there else ""


def moment(t: float) -> str:
    """Return a point of the run clock, to 10 ms."""
    return f"{t:.2f} s"


def seconds_text(seconds: float, bound: float | None = None) -> str:
    """Return a length of time the way a person writes it: `300ms`, `4s`, `1m30s`.

    It has three digits, or more where three would put it on the other side of the `bound`.
    """
    rounded = _three_digits(seconds)
    if bound is not None and above(rounded, bound) != above(seconds, bound):
        return f"{seconds:.6g}s"
    if seconds < 0:
        return "-" + seconds_text(-seconds)
    if seconds == 0:
        return "0s"
    seconds = rounded  # before choosing the unit: 999.9ms is 1s, and 119.96s is 2m
    if seconds < 0.001:
        return f"{decimal(seconds * 1e6, 3)}us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g}ms"
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")
    return text + (f"{rest:.3g}s" if rest >= 0.05 else "")


def _three_digits(seconds: float) -> float:
    return float(f"{seconds:.3g}") if seconds < 60 else round(seconds, 1)


def _side(value: float, bound: float) -> tuple[bool, bool]:
    return above(value, bound), above(bound, value)
