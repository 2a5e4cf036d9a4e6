"""What an app or a store answers, as the history writes it down.

An HTTP answer is what a JSONPath picked out, a store's is the list of what it returned; numbers may
come as text. Every function raises `ValueError` for an answer of another shape.
"""

from __future__ import annotations

import re

from chaoskit.records import Json
from chaoskit.text import shown

LONGEST = 300  # digits of text that can be a number; longer text is text
_NUMBER = re.compile(rf"-?[0-9]{{1,{LONGEST}}}(\.[0-9]+)?")


def number(item: Json) -> Json:
    """Return a whole number that came as text as a number, anything else as it is."""
    if isinstance(item, str) and len(item) <= LONGEST and item.isascii() and item.isdigit():
        return int(item)
    return item


def values(answer: Json) -> list[Json]:
    """Return the values of a list."""
    if not isinstance(answer, list):
        raise ValueError("the read did not return a list")
    if any(isinstance(item, list | dict) for item in answer):
        raise ValueError("the read returned rows or objects, not values")
    return [number(item) for item in answer]


def single(answer: Json) -> Json:
    """Return the one value of an answer; None where there is nothing."""
    if isinstance(answer, list):
        if len(answer) > 1:
            raise ValueError(f"the read returned {len(answer)} values instead of one")
        answer = answer[0] if answer else None
    if isinstance(answer, list | dict):
        raise ValueError("the read returned a row or an object, not a value")
    return number(answer)


def amount(answer: Json) -> int | float:
    """Return the one number of an answer."""
    found = single(answer)
    if isinstance(found, str) and re.fullmatch(_NUMBER, found):
        return float(found) if "." in found else int(found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise ValueError(f"the read returned {shown(found)}, not a number")
    return found


def whole(answer: Json) -> int | None:
    """Return the one whole number of an answer; None where there is nothing."""
    found = single(answer)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int):
        raise ValueError(f"the read returned {shown(found)}, not a whole number")
    return found


def amounts(answer: Json) -> dict[str, int | float]:
    """Return numbers by name, from an object, from rows of two columns, or from a flat list of
    names and numbers as Redis returns a hash."""
    if isinstance(answer, dict):
        pairs = list(answer.items())
    elif isinstance(answer, list) and all(isinstance(row, list) for row in answer):
        if any(len(row) != 2 for row in answer):
            raise ValueError("the read returned rows that are not a name and a number")
        pairs = [(row[0], row[1]) for row in answer]
    elif isinstance(answer, list) and len(answer) % 2 == 0:
        pairs = list(zip(answer[::2], answer[1::2], strict=True))
    else:
        raise ValueError("the read did not return numbers by name")
    found = {_name(name): amount(value) for name, value in pairs}
    if len(found) < len(pairs):
        raise ValueError("the read returned a name twice")
    return found


def _name(name: Json) -> str:
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError(f"the read returned {shown(name)} as a name")
    return str(name)
