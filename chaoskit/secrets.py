"""Keeping secrets out of everything chaoskit writes or prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_SECRET_KEY = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|api_?key|private_?key|credential|auth)s?$", re.IGNORECASE
)
_IN_URL = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)(?P<secret>[^\s@/\"']+)(?=@)", re.I
)
_SHORTEST = 6  # a shorter value is too likely to be an ordinary word; URLs are masked anyway
MASK = "***"


class Redactor:
    """Replaces passwords in URLs, and the very values of known secrets, in any text."""

    def __init__(self, secrets: Iterable[str] = (), *, keep: Iterable[str] = ()) -> None:
        """`keep` are words that must stay readable (service names), whatever carries them."""
        kept = set(keep)
        self.add(secrets, kept)

    def add(self, secrets: Iterable[str], keep: Iterable[str] = ()) -> None:
        kept = set(keep)
        known = {s for s in secrets if len(s) >= _SHORTEST and s not in kept}
        known |= getattr(self, "_known", set())
        self._known: set[str] = known
        ordered = sorted(known, key=len, reverse=True)
        pattern = "|".join(re.escape(secret) for secret in ordered)
        self._pattern = re.compile(pattern) if pattern else None

    def clean(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if "://" in text:
            text = _IN_URL.sub(lambda match: match["head"] + MASK, text)
        return text


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """Return the values of keys named like a secret, and passwords inside URL values."""
    found = []
    for key, value in environment.items():
        if _SECRET_KEY.search(key):
            found.append(value)
        found += passwords_in(value)
    return found


def passwords_in(text: str) -> list[str]:
    """Return the passwords of all URLs in a text."""
    return [match["secret"] for match in _IN_URL.finditer(text)]
