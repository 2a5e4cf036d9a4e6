"""Keeping secrets out of everything chaoskit writes or prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from chaoskit.records import Json

_SECRET_KEY = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|credential|auth"
    r"|(api|private|secret|access|signing|encryption)_?key(_base)?)s?$",
    re.IGNORECASE,
)
_IN_URL = re.compile(
    r"(?P<head>[a-z][a-z0-9+.-]*://[^\s:/@\"']*:)(?P<secret>[^\s/\"']+)(?=@)", re.IGNORECASE
)
_SHORTEST = 6  # a shorter value is too likely to be an ordinary word; URLs are masked anyway
MASK = "***"


class Redactor:
    """Replaces passwords in URLs, and the very values of known secrets, in any text."""

    def __init__(self, secrets: Iterable[str] = (), *, keep: Iterable[str] = ()) -> None:
        """`keep` are words that must stay readable (service names), whatever carries them."""
        self._known: set[str] = set()
        self.add(secrets, keep)

    def add(self, secrets: Iterable[str], keep: Iterable[str] = ()) -> None:
        """Replace these too from now on."""
        kept = set(keep)
        self._known |= {s for s in secrets if len(s) >= _SHORTEST and s not in kept}
        # In JSON text a quote, a backslash or a letter of a secret may be written escaped.
        written = {
            form
            for secret in self._known
            for form in (
                secret,
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            )
        }
        pattern = "|".join(re.escape(form) for form in sorted(written, key=len, reverse=True))
        self._pattern = re.compile(pattern) if pattern else None

    def clean(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if "://" in text:
            text = _IN_URL.sub(lambda match: match["head"] + MASK, text)
        return text

    def clean_json(self, document: Json) -> Json:
        """Return the document with every secret in its texts replaced; keys and numbers stay, or
        a password such as `123456` or `value` would break what reads the document."""
        if isinstance(document, str):
            return self.clean(document)
        if isinstance(document, Mapping):
            return {key: self.clean_json(value) for key, value in document.items()}
        if isinstance(document, Sequence):
            return [self.clean_json(value) for value in document]
        return document


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
    written = [match["secret"] for match in _IN_URL.finditer(text)]
    return list(dict.fromkeys(form for one in written for form in (one, unquote(one))))
