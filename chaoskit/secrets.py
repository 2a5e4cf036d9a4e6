"""Keeping secrets out of everything chaoskit writes or prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

from chaoskit.records import Json

# What names of secrets are made of: by themselves, as a part (`DB_PASSWORD_2`), or at the end of a
# part (`PGPASSWORD`, `APITOKEN`).
WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "authorization",
    "api_key", "private_key", "secret_key", "access_key", "signing_key", "encryption_key",
    "master_key", "account_key", "license_key", "ssh_key",
)  # fmt: skip
# These only at the end of a name: `DB_PASS` and `REDIS_AUTH`, not `pass_count` and `auth_backend`.
LAST_WORDS = ("pass", "auth", "cookie", "jwt")
# What a name is about that ends so, whatever comes before: never the secret itself.
HARMLESS_ENDS = (
    "url", "uri", "host", "hostname", "port", "addr", "address", "endpoint", "service", "domain",
    "user", "username", "name", "type", "mode", "method", "algorithm", "alg", "issuer", "audience",
    "scope", "realm", "prefix", "enabled", "required", "ttl", "timeout", "expiry",
    "expires", "lifetime", "age", "interval", "length", "size", "count", "limit", "rounds",
)  # fmt: skip

_ANY_WORD = "|".join(word.replace("_", "_?") for word in WORDS)
_NAMED = re.compile(rf"(?:{_ANY_WORD})s?(?:_|\d|$)|(?<!com)(?<!by)(?:{'|'.join(LAST_WORDS)})s?$")
_HARMLESS = re.compile(rf"_(?:{'|'.join(HARMLESS_ENDS)})s?$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIRECTORIES = ("PWD", "OLDPWD")  # of a shell

_KEYS = (  # `PGPASSWORD=x`, `--requirepass x`
    re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)="),
    re.compile(r"(?<![\w.-])--(?P<key>[\w-]+)\s+"),
)
_VALUE = re.compile(r"\"(?P<quoted>[^\"$][^\"]*)\"|'(?P<literal>[^']+)'|[^\s\"'&;,$-][^\s\"'&;,]*")
_PLACEHOLDER = re.compile(r"(\{\w+\})")  # which a workload fills in: no secret
_SCHEME = re.compile(r"(?:basic|bearer|digest|token)\s+", re.IGNORECASE)
_IN_URL = re.compile(
    r"(?P<head>(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s:/@\"']*:)(?P<secret>[^\s/\"']+)(?=@)",
    re.IGNORECASE,
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


def named_like_a_secret(name: str) -> bool:
    """Return whether the value of a key or variable of this name must not be shown."""
    if name in _DIRECTORIES:
        return False
    name = re.sub(r"[.\s-]+", "_", _CAMEL.sub("_", name)).lower()
    return _NAMED.search(name) is not None and _HARMLESS.search(name) is None


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """Return the values of keys named like a secret, and the passwords inside other values."""
    found = []
    for key, value in environment.items():
        if named_like_a_secret(key):
            found += forms_of(value)
        found += passwords_in(value)
    return found


def forms_of(secret: str) -> list[str]:
    """Return what a secret may show up as: whole, without `Bearer`, each of its lines.

    A placeholder such as `{value}` is no secret, only what stands around it.
    """
    parts = [part for part in _PLACEHOLDER.split(secret)[::2] if part]
    forms = [form for part in parts for form in (part, _SCHEME.sub("", part, count=1))]
    lines = [line.strip() for form in forms for line in form.splitlines()]
    return list(dict.fromkeys(form for form in (*forms, *lines) if form))


def passwords_in(text: str) -> list[str]:
    """Return the passwords of all URLs, assignments and options in a text, such as `PGPASSWORD=x`
    and `--requirepass x`."""
    written = [match["secret"] for match in _IN_URL.finditer(text)]
    for keys in _KEYS:
        end = 0
        for key in keys.finditer(text):
            if key.start() < end or not named_like_a_secret(key["key"]):
                continue
            if (value := _VALUE.match(text, key.end())) is not None:
                end = value.end()
                written.append(value["quoted"] or value["literal"] or value[0])
    forms = (form for one in written for meant in (one, unquote(one)) for form in forms_of(meant))
    return list(dict.fromkeys(forms))


def without_secrets(document: Json) -> Json:
    """Return a document in which texts and numbers under keys named like a secret are `***`."""
    if isinstance(document, Mapping):
        return {
            key: _masked(value) if named_like_a_secret(key) else without_secrets(value)
            for key, value in document.items()
        }
    if isinstance(document, Sequence) and not isinstance(document, str):
        return [without_secrets(item) for item in document]
    return document


def _masked(value: Json) -> Json:
    if isinstance(value, str):
        parts = _PLACEHOLDER.split(value)
        return "".join(part if n % 2 else MASK if part else "" for n, part in enumerate(parts))
    if isinstance(value, Sequence):
        return [_masked(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return MASK
    return without_secrets(value)
