"""Keeping secrets out of everything chaoskit writes or prints."""

from __future__ import annotations

import binascii
import html
import itertools
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote

from chaoskit.records import Json

# What names of secrets are made of: by themselves, as a part (`DB_PASSWORD_2`), or at the end of a
# part (`PGPASSWORD`, `APITOKEN`).
WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "authorization",
    "api_key", "private_key", "secret_key", "access_key", "signing_key", "encryption_key",
    "master_key", "account_key", "license_key", "ssh_key", "app_key", "auth_key", "client_key",
    "session_key", "service_key", "shared_key", "hmac_key", "auth_header", "dsn",
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
_SCHEME = re.compile(r"(?P<name>basic|bearer|digest|token)\s+", re.IGNORECASE)
_COOKIE = re.compile(r"(?:^|;)\s*[\w.-]+=([^;\s]+)")
_USER = re.compile(r"[^\s:/@]+:([^\s/]\S*)")  # `user:password`, also before an address
_BEFORE = (  # what says that a password follows: `password=`, `"token": "`, `--requirepass `
    r"(?<![\w.-])(?:(?P<key>[\w.-]+)\\?[\"']?\s*[=:]\s*|--(?P<option>[\w-]+)\s+)\\?[\"']?"
    r"(?:(?:basic|bearer|token)\s+)?"
)
_IN_URL = re.compile(
    r"(?P<head>(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s:/@\"']*:)(?P<secret>[^\s/\"']+)(?=@)",
    re.IGNORECASE,
)
# A user of a Redis in a command line or a file: `user app on >password ~* +@all`.
_ACL_USER = re.compile(
    r"(?<![\w.])user\s+[^\s>]+"
    r"(?P<rules>(?:\s+(?:on|off|nopass|(?:all|re|sanitize|skip)[\w-]+|[~&%+<>#!-][^\s\"']*)){1,20})"
)
_ACL_PASSWORD = re.compile(r"\s>([^\s\"']+)")
MASK = "***"
# A shorter value is too likely to be an ordinary word; where its name stands it is masked anyway.
_SHORTEST, _SHORTEST_MIXED = 6, 4  # characters; mixed has letters of both cases, or more than these
_WORD = re.compile(r"[a-z]+(?:[-_][a-z]+)*")
_SHORTEST_BASE64 = 8  # characters that are the same wherever in the encoded text it stands

# States and kinds as engines and reports name them: as a password, such a word stays readable.
OUR_WORDS = frozenset((
    "created", "running", "paused", "restarting", "removing", "exited", "dead", "starting",
    "healthy", "unhealthy", "stopped", "removed", "default", "bridge", "host", "none", "answered",
    "silent", "closed", "reset", "refused", "before", "during", "after", "passed", "failed",
    "unknown", "pass", "fail", "info", "service", "services", "network", "volume", "container",
    "probe", "workload", "check", "fault", "stack", "plan", "report", "postgres", "redis",
    "mysql", "database", "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
))  # fmt: skip
# Fields of rows and documents that hold names, kinds, paths and states of chaoskit's own; below the
# others stands data of the user's, whose keys mean nothing here.
_NAMES = frozenset((
    "event", "run", "scenario", "scenario_file", "file", "command", "compose", "project",
    "format", "phase", "phases", "verdict", "service", "services", "faults", "jobs", "image",
    "digest", "client", "upstream", "action", "status", "health", "workload", "probe", "id",
    "fault", "target", "edge", "when", "by", "name", "kind", "check", "unit", "outcome", "type",
    "op", "started_at", "clock", "tags", "host", "start", "for",
))  # fmt: skip
_DATA = frozenset({"value", "document", "last_logs", "versions"})


class Redactor:
    """Replaces passwords in URLs, and the very values of known secrets, in any text."""

    def __init__(self, secrets: Iterable[str] = (), *, keep: Iterable[str] = ()) -> None:
        """`keep` are words that stay readable, such as the names of services: a secret that is one
        of them is masked only where something says what it is, as in `password=postgres`."""
        self._known: set[str] = set()
        self._kept: set[str] = set()
        self.add(secrets, keep)

    def add(self, secrets: Iterable[str], keep: Iterable[str] = ()) -> None:
        """Replace these too from now on."""
        self._known.update(secrets)
        self._kept.update(keep)
        words = {s for s in self._known if s in self._kept}
        short, long = set[str](), set[str]()
        for secret in self._known - words:
            if len(secret) >= _SHORTEST:
                long |= _written(secret)
            elif _is_mixed(secret):
                short |= _written(secret)
        bare = [_any_of(long)] if long else []
        bare += [rf"(?<![A-Za-z0-9]){_any_of(short)}(?![A-Za-z0-9])"] if short else []
        self._pattern = re.compile("|".join(bare)) if bare else None
        self._words = re.compile(_any_of(words)) if words else None
        self._named = re.compile(_BEFORE + rf"(?P<secret>{_any_of(words)})(?![\w-])", re.IGNORECASE)

    def clean(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        if "://" in text:
            text = _IN_URL.sub(lambda match: match["head"] + MASK, text)
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if self._words is not None and self._words.search(text):
            text = self._named.sub(_without_word, text)
        return text

    def clean_json(self, document: Json, *, names: bool = True) -> Json:
        """Return the document with every secret in its texts replaced; keys and numbers stay, or
        a password such as `123456` or `value` would break what reads the document. So do `names`:
        what stands in fields for names, kinds and states."""
        if isinstance(document, str):
            return self.clean(document)
        if isinstance(document, Mapping):
            return {key: self._cleaned(key, value, names) for key, value in document.items()}
        if isinstance(document, Sequence):
            return [self.clean_json(value, names=names) for value in document]
        return document

    def _cleaned(self, key: str, value: Json, names: bool) -> Json:
        if names and key in _NAMES:
            if isinstance(value, str):
                return value
            if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
                return value
        if isinstance(value, str) and value in self._known and named_like_a_secret(key):
            return MASK
        return self.clean_json(value, names=names and key not in _DATA)


def _without_word(match: re.Match[str]) -> str:
    if not named_like_a_secret(match["key"] or match["option"]):
        return match[0]
    return match[0].removesuffix(match["secret"]) + MASK


def _is_mixed(secret: str) -> bool:
    """Return whether a short secret is plainly no word and no number: `Sh0rt`, `a-1b`."""
    if len(secret) < _SHORTEST_MIXED:
        return False
    sorts = [any(map(is_one, secret)) for is_one in (str.islower, str.isupper, str.isdigit)]
    return sum(sorts) + (not secret.isalnum()) > 1 and any(map(str.isalpha, secret))


def is_word(text: str) -> bool:
    """Return whether a text could be a word of a sentence or a name."""
    return _WORD.fullmatch(text) is not None


def _written(secret: str) -> set[str]:
    """Return how programs write a secret: as it is, escaped, for a URL, for HTML, in base64."""
    quoted = {quote(secret, safe=safe) for safe in ("", "/")} | {quote_plus(secret)}
    quoted |= {re.sub("%..", lambda match: match[0].lower(), text) for text in quoted}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {repr(secret)[1:-1], html.escape(secret), secret.replace("$", "$$")}
    return {secret, *quoted, *escaped, *_in_base64(secret)}


def _in_base64(secret: str) -> Iterator[str]:
    """Yield what is in the base64 of any text with the secret in it, such as `user:password`."""
    data = secret.encode(errors="surrogatepass")
    for before in range(3):
        encoded = b64encode(b"\0" * before + data).decode().rstrip("=")
        end = len(encoded) - ((before + len(data)) % 3 > 0)  # the last bits depend on what follows
        sure = encoded[(0, 2, 3)[before] : end]
        if len(sure) >= _SHORTEST_BASE64:
            yield from (sure, sure.replace("+", "-").replace("/", "_"))


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern for the longest of these words that is there, as a tree of what they have in
    common: a long list of alternatives would be slow."""
    ordered = sorted(set(words), reverse=True)
    if len(ordered) < 2:
        return re.escape(ordered[0]) if ordered else "(?!)"
    branches = []
    for _, group in itertools.groupby(ordered, key=lambda word: word[:1]):
        some = list(group)
        pairs = enumerate(zip(some[0], some[-1], strict=False))  # in order, so of all of them
        same = next((n for n, (one, other) in pairs if one != other), len(some[-1]))
        rest = _any_of(word[same:] for word in some) if len(some) > 1 else ""
        branches.append(re.escape(some[0][:same] if rest else some[0]) + rest)
    optional = "?" if branches[-1] == "" else ""
    return f"(?:{'|'.join(filter(None, branches))}){optional}"


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
    """Return what a secret may show up as: whole, without `Bearer`, each of its lines, and the
    password of `user:password` or a cookie, also where `Basic` encodes it.

    A placeholder such as `{value}` is no secret, only what stands around it.
    """
    parts = [part for part in _PLACEHOLDER.split(secret)[::2] if part]
    forms = [form for part in parts for form in (part, *_inner(part))]
    lines = [line.strip() for form in forms for line in form.splitlines()]
    return list(dict.fromkeys(form for form in (*forms, *lines) if form))


def _inner(secret: str) -> Iterator[str]:
    bare = _SCHEME.sub("", secret, count=1)
    yield bare
    scheme = _SCHEME.match(secret)
    if scheme is not None and scheme["name"].lower() == "basic":
        try:
            bare = b64decode(bare, validate=True).decode()
            yield bare
        except (binascii.Error, UnicodeDecodeError):
            return
    user = _USER.fullmatch(bare)
    if user is not None:  # in `user:password@tcp(db)/x` the address is no part of it
        yield user[1].rpartition("@")[0] or user[1]
    yield from _COOKIE.findall(bare)


def passwords_in(text: str) -> list[str]:
    """Return the passwords of all URLs, assignments and options in a text, such as `PGPASSWORD=x`
    and `--requirepass x`."""
    written = [match["secret"] for match in _IN_URL.finditer(text)]
    for user in _ACL_USER.finditer(text):
        written += _ACL_PASSWORD.findall(user["rules"])
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
