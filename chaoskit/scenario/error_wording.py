"""A user's words for what a value is and what it should have been."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chaoskit.scenario.nodes import Node, Path, Plain, Scalar
from chaoskit.scenario.scalars import resolved
from chaoskit.scenario.suggest import did_you_mean
from chaoskit.text import listed, one_line

_MAPPING = "a mapping of `key: value`"
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "none_required": "nothing",
}
_LIMITS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be more than"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be less than"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}
_YES = frozenset({"yes", "y", "on", "true", "1"})
_NO = frozenset({"no", "n", "off", "false", "0"})
_SHOWN = 60  # characters of a value that a message repeats


def expected(kind: str, context: Mapping[str, Any]) -> str | None:
    """Return what pydantic wanted, as a noun, or None when it wanted no particular type."""
    if kind in ("literal_error", "enum"):
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return (
            "one of " + listed(options) if len(options) > 1 else listed(options) or "another value"
        )
    return _EXPECTED.get(kind)


def got(value: Plain) -> str:
    """Return what a value is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text `{shortened(value)}`"
    return "a list" if isinstance(value, list) else "a mapping"


def shortened(text: str) -> str:
    """Return text on one line, cut where it is too long for a message."""
    return one_line(text, _SHOWN) if text.strip() else text


def subject(path: Path) -> str:
    """Return the name of a place: its key, or which item of which list it is."""
    if not path:
        return "the scenario"
    last = path[-1]
    return f"`{last}`" if isinstance(last, str) else f"item {last + 1} of {subject(path[:-1])}"


def mismatch(path: Path, nouns: list[str], value: Plain) -> str:
    """Return the sentence for a value of the wrong type or outside a choice."""
    nouns = list(dict.fromkeys(nouns))
    text = f"{subject(path)} expects {' or '.join(nouns)}, got {got(value)}"
    choices = [noun for noun in nouns if noun.startswith("one of ")]
    options = re.findall(r"`([^`]*)`", " ".join(choices))
    return text + (did_you_mean(value, options) if isinstance(value, str) else "")


def limit(kind: str, path: Path, context: Mapping[str, Any], value: Plain) -> str | None:
    """Return the sentence for a value outside its bounds, or None when it is not about bounds."""
    name = subject(path)
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{name} {words} {context[key]}, got {got(value).removeprefix('the number ')}"
    if kind in ("too_short", "string_too_short"):
        least = context["min_length"]
        unit = "character" if kind.startswith("string") else "entry" if least == 1 else "entries"
        return f"{name} needs at least {least} {unit}"
    if kind in ("too_long", "string_too_long"):
        unit = "characters" if kind.startswith("string") else "entries"
        return f"{name} may have at most {context['max_length']} {unit}"
    if kind == "string_pattern_mismatch":
        return (
            f"`{shortened(str(value))}` is not a name: letters, digits, `_`, `.` and `-`, "
            "starting with a letter or digit"
            if "[A-Za-z0-9_.-]*" in str(context.get("pattern"))
            else f"`{shortened(str(value))}` does not have the right form"
        )
    return None


def retyping_hint(kind: str, node: Node | None) -> str | None:
    """Return how to write a scalar so that it has the expected type."""
    if not isinstance(node, Scalar) or node.secrets:
        return None
    value, text = node.value, node.text
    if kind == "string_type" and value is not None:
        return f'write it in quotes: "{text}"'
    if kind == "bool_type":
        word = str(value).lower()
        return f"write `{'true' if word in _YES else 'false'}`" if word in _YES | _NO else None
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return _number_hint(value)
    return None


def _number_hint(text: str) -> str | None:
    if isinstance(resolved(text), int | float) and not isinstance(resolved(text), bool):
        return f"write it without quotes: {text}"
    if re.fullmatch(r"0[0-9]+", text):
        return f"numbers have no leading zero: write {int(text[:30])}"
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,15}", text):
        return f"numbers are decimal: write {int(text, 16)}"
    if re.fullmatch(r"[0-9]{1,3}(_[0-9]{3})+", text):
        return f"numbers have no `_`: write {text.replace('_', '')}"
    if re.fullmatch(r"[0-9]+(:[0-9]+)+", text):
        return "`:` does not make a number: write one plain number"
    return None
