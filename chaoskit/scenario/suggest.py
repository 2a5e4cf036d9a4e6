"""What the author may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def closest(word: object, options: Collection[str]) -> str | None:
    """Return the option that `word` is most likely a misspelling of, or None."""
    text = str(word)
    if not options or len(text) > 100:
        return None
    folded = {option.lower().replace("-", "_"): option for option in sorted(options, reverse=True)}
    found = difflib.get_close_matches(text.lower().replace("-", "_"), list(folded), 1, 0.6)
    return folded[found[0]] if found and folded[found[0]] != text else None


def did_you_mean(word: object, options: Collection[str]) -> str:
    """Return `; did you mean `x`?`, or nothing."""
    option = closest(word, options)
    return f"; did you mean `{option}`?" if option else ""
