"""Text from the stack under test, made safe to show: no escape sequences, no control characters."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """Return `text` without terminal sequences and without what XML and terminals cannot show.

    Line ends and tabs stay. The rest of Unicode stays.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return `plain` text on one line."""
    return " ".join(plain(text).split())
