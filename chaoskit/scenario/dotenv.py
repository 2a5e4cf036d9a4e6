"""The `.env` beside a Compose file: its variables are a scenario's too, as they are Compose's."""

from __future__ import annotations

import re
from pathlib import Path

from chaoskit.files import read_text

_LARGEST = 1024 * 1024  # bytes
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.]*)[ \t]*[=:][ \t]*
    (?:'(?P<literal>[^'\n]*)'|"(?P<quoted>(?:[^"\\\n]|\\.)*)"|(?P<bare>[^'"\n].*?)?)
    [ \t]*(?:(?<=[ \t'"])\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def variables(folder: Path) -> dict[str, str]:
    """Return the variables of a folder's `.env`; none when there is no file that can be read.

    Values over several lines, or made of other variables, are left out: a scenario that uses such
    a one is told that it is not set.
    """
    try:
        text = read_text(folder / ".env", _LARGEST)
    except (OSError, UnicodeDecodeError):
        return {}
    return variables_in(text)


def variables_in(text: str) -> dict[str, str]:
    """Return the variables that the text of an env file sets, with the same exceptions."""
    found = {}
    for line in _LINE.finditer(text.removeprefix("\ufeff").replace("\r\n", "\n")):
        value = line["literal"]
        if value is None:
            raw = line["quoted"] if line["quoted"] is not None else line["bare"] or ""
            if "$" in raw:
                continue
            value = raw if line["quoted"] is None else _unescaped(raw)
        found[line["name"]] = value
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)
