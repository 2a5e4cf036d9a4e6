"""What secrets are called, and which values are none whatever they are called."""

from __future__ import annotations

import re

# What names of secrets are made of: by themselves, as a part (`DB_PASSWORD_2`), or at the end of a
# part (`PGPASSWORD`, `APITOKEN`).
WORDS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential",
    "authorization", "api_key", "private_key", "secret_key", "access_key", "signing_key",
    "encryption_key", "master_key", "account_key", "license_key", "ssh_key", "app_key", "auth_key",
    "client_key", "session_key", "service_key", "shared_key", "hmac_key", "jwt_key", "auth_header",
    "dsn",
)  # fmt: skip
# These only at the end of a name: `DB_PASS` and `REDIS_AUTH`, not `pass_count` and `auth_backend`.
LAST_WORDS = (
    "pass", "auth", "cookie", "jwt", "pw", "salt", "pepper", "signing", "signature", "psk", "otp",
    "requirepass",
)  # fmt: skip
# These only as the whole end of a name: `GITHUB_PAT`, not `COMPAT`.
_WHOLE_LAST = ("pat", "sig")
# These say what the value is for, not that nobody may know it: only values that look random.
_PERHAPS = ("key", "code", "seed", "hook", "webhook")
# What a name is about that ends so, whatever comes before: never the secret itself.
HARMLESS_ENDS = (
    "url", "uri", "host", "hostname", "port", "addr", "address", "endpoint", "service", "domain",
    "user", "username", "name", "type", "mode", "method", "algorithm", "alg", "issuer", "audience",
    "scope", "realm", "prefix", "enabled", "disabled", "required", "ttl", "timeout", "expiry",
    "expire", "expires", "expiration", "expires_in", "lifetime", "age", "interval", "leeway",
    "day", "hour", "minute", "second", "length", "size", "count", "limit", "rounds", "iterations",
    "cost", "bits", "min", "max", "min_length", "file", "path", "dir", "directory", "folder",
    "policy", "backend", "provider", "class", "format", "strength", "strategy", "driver", "engine",
    "version", "region", "encryption", "hasher", "encoder", "encoding", "field", "param", "column",
    "rotation", "validation", "verification", "check", "secure", "samesite", "httponly", "hint",
)  # fmt: skip
_HARMLESS_STARTS = ("max", "min", "no", "without", "skip")

_ANY_WORD = "|".join(word.replace("_", "_?") for word in WORDS)
_NAMED = re.compile(
    rf"(?:{_ANY_WORD})s?(?:_|\d|$)"
    rf"|(?<!com)(?<!by)(?:{'|'.join(LAST_WORDS)})s?$"
    rf"|(?:^|_)(?:{'|'.join(_WHOLE_LAST)})s?$"
)
_PERHAPS_NAMED = re.compile(rf"(?:^|_)(?:{'|'.join(_PERHAPS)})s?(?:_\d+|_url)?$")
_HARMLESS = re.compile(
    rf"_(?:{'|'.join(HARMLESS_ENDS)})s?$|^(?:{'|'.join(_HARMLESS_STARTS)})_|(?:^|_)public_"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIRECTORIES = ("PWD", "OLDPWD")  # of a shell

_NO_SECRET = re.compile(  # a switch, nothing, or where the secret is
    r"(?:true|false|yes|no|on|off|null|none|nil|undefined|enabled|disabled|/run/secrets/\S*|\**)",
    re.IGNORECASE,
)
_OF_A_HEADER = re.compile(r"_headers?$")
# What a header is called, `X-Api-Key` or `Authorization`, not what it says.
_HEADER_NAME = re.compile(r"[A-Z][A-Za-z]*[a-z](?:-[A-Z][A-Za-z]*)*|[A-Za-z]+(?:-[A-Za-z]+)+")
_LONG_ENOUGH = re.compile(r"[A-Za-z0-9]{8,}")
_WORD_AND_NUMBER = re.compile(r"[A-Za-z]+[0-9]*|[0-9]+[A-Za-z]*")


def named_like_a_secret(name: str) -> bool:
    """Return whether the value of a key or variable of this name must not be shown."""
    if name in _DIRECTORIES:
        return False
    name = _plain(name)
    return _NAMED.search(name) is not None and _HARMLESS.search(name) is None


def may_name_a_secret(name: str) -> bool:
    """Return whether a value of this name can be secret: the name says so, or it says `key` or the
    like, where it is if it looks random."""
    name = _plain(name)
    perhaps = _PERHAPS_NAMED.search(name) is not None and "public" not in name
    return perhaps or named_like_a_secret(name)


def holds_a_secret(name: str, value: str) -> bool:
    """Return whether this value under this name is secret."""
    if _NO_SECRET.fullmatch(value.strip()):
        return False
    if _OF_A_HEADER.search(_plain(name)) and _names_a_header(value.strip()):
        return False
    return named_like_a_secret(name) or (may_name_a_secret(name) and looks_random(value))


def _names_a_header(value: str) -> bool:
    """Return whether a value is what a header with a secret in it is called: `X-Api-Key`."""
    return bool(_HEADER_NAME.fullmatch(value)) and (
        value[:2].lower() == "x-" or named_like_a_secret(value)
    )


def looks_random(value: str) -> bool:
    """Return whether a program made this up: letters and digits mixed, more than `word12`."""
    if any(map(str.isspace, value)):
        return False
    return any(
        any(map(str.isdigit, part))
        and any(map(str.isalpha, part))
        and _WORD_AND_NUMBER.fullmatch(part) is None
        for part in _LONG_ENOUGH.findall(value)
    )


def _plain(name: str) -> str:
    """Return a name in small letters with `_` between its words: `x-api-key`, `apiKey`."""
    return re.sub(r"[.\s-]+", "_", _CAMEL.sub("_", name)).lower().strip("_")
