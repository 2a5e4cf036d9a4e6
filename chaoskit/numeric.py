"""Numbers that verdicts hang on: percentiles, bounds that binary fractions miss by a hair, and JSON
whose numbers are numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

MOST_DIGITS = 4300  # of a whole number: Python reads no longer ones
_TOO_LONG = re.compile(rf"\d{{{MOST_DIGITS + 1},}}")
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


class NoNumber(json.JSONDecodeError):
    """JSON with a number that nothing here can hold, so that two of them would look alike."""


def read_json(text: str | bytes) -> Any:
    """Return what JSON text says.

    Raises `JSONDecodeError`, with the place, for text that is none, is nested too deeply, or holds
    a number that cannot be held: `1e400`, `NaN`, a whole one of thousands of digits. Raises
    `UnicodeDecodeError` for bytes that are no text.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        return _DECODER.decode(text)
    except NoNumber as error:
        raise NoNumber(error.msg, text, max(text.find(error.doc), 0)) from None
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    except ValueError:
        found = _TOO_LONG.search(text)
        message = f"a whole number has more than {MOST_DIGITS} digits"
        raise NoNumber(message, text, found.start() if found else 0) from None


def _finite(written: str) -> float:
    value = float(written)
    return value if math.isfinite(value) else _refuse(written)


def _refuse(written: str) -> float:
    raise NoNumber(f"`{written}` cannot be held as a number", written, 0)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
