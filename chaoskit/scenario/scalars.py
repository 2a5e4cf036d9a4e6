"""What a scalar means: `${VAR}` replaced, then resolved by YAML 1.2's core rules.

Only `true`, `false`, `null`, `~`, plain decimal integers and floats are not text. `yes`, `0123`,
`12:30`, `0x1F` and `1_000` are text, whatever YAML 1.1 makes of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from chaoskit.secrets import named_like_a_secret

_WORDS: dict[str, bool | None] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"), None)
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 40

_REFERENCE = re.compile(
    r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)
_SHIELDED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^{}\n\r\"'\\]*)?\}")
_SHIELD = 0x10FE00  # private characters: nobody's text uses them

LONGEST_VALUE = 1024 * 1024


def resolved(text: str) -> bool | int | float | str | None:
    """Return what an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def shielded(text: str) -> str:
    """Hide the braces of `${VAR}` from the YAML scanner, so that it works unquoted inside `{ }`.

    One character stands for one, so positions stay; `unshielded` restores the text.
    """
    return _SHIELDED.sub(
        lambda match: (
            "$" + "".join(chr(_SHIELD + ord(c)) if c.isascii() else c for c in match[0][1:])
        ),
        text,
    )


def unshielded(text: str) -> str:
    """Undo `shielded` for the text of one scalar."""
    return "".join(chr(ord(c) - _SHIELD) if 0 <= ord(c) - _SHIELD < 0x80 else c for c in text)


class Unresolvable(Exception):
    """A reference that cannot be replaced: what was written, why, and what to do."""

    def __init__(self, written: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.written = written
        self.message = message
        self.hint = hint


def substituted(text: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return `text` with its references replaced, and the values in it that are secrets.

    `${VAR:-default}` uses the default when the variable is unset or empty; `$$` is a literal `$`;
    any other `$` stays. Raises `Unresolvable`.
    """
    secrets: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match["name"], match["default"]
        if name is None or "${" in (default or ""):
            raise Unresolvable(
                "${", "this is not a variable reference", "write ${NAME}, ${NAME:-default} or $$"
            )
        value = environ.get(name, "")
        if default is not None and not value:
            if named_like_a_secret(name):
                secrets.append(default)
            return default
        if name not in environ:
            raise Unresolvable(
                match[0],
                f"environment variable `{name}` is not set",
                f"set it, or give a default: ${{{name}:-...}}",
            )
        if any("\ud800" <= c <= "\udfff" or c == "\0" for c in value):
            raise Unresolvable(
                match[0], f"environment variable `{name}` is not UTF-8 text", "set it to plain text"
            )
        if named_like_a_secret(name):
            secrets.append(value)
        return value

    result = _REFERENCE.sub(replace, text)
    if len(result) > LONGEST_VALUE:
        raise Unresolvable("$", "the value is larger than 1 MiB", "use smaller variables")
    return result, tuple(secrets)
