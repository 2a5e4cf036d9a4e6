"""Text from outside, so that a reader sees what is in it and nothing acts on it."""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup

from chaoskit.text import BIDI

_HIDDEN = re.compile(
    f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200d\u2028\u2029\u2060\ufeff{BIDI}"
    "\ud800-\udfff\ufff9-\uffff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Return text with control characters, and those that turn or hide what is around them, written
    as `<U+202E>`. Line ends and tabs stay."""
    return _HIDDEN.sub(lambda found: f"<U+{ord(found[0]):04X}>", text.replace("\r\n", "\n"))


def brief(text: str, limit: int) -> str:
    """Return visible text on one line, cut at `limit` characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def shown_value(value: Any) -> Any:
    """Return what a template writes for a value: text made visible; it is escaped after that."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def script_json(document: object) -> Markup:
    """Return JSON that is safe inside a `script` element, whatever text is in it."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True, sort_keys=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  # nothing in it can end the element any more
