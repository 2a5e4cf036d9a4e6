"""What a secret may show up as: its parts that are secret too, and how programs write it."""

from __future__ import annotations

import binascii
import html
import json
import re
import shlex
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

_PLACEHOLDER = re.compile(r"(\{\w+\})")  # which a workload fills in: no secret
_SCHEME = re.compile(r"(?P<name>basic|bearer|digest|token|apikey)\s+", re.IGNORECASE)
_COOKIE = re.compile(r"(?:^|;)\s*[\w.-]+=([^;\s]+)")
_USER = re.compile(r"[^\s:/@]+:([^\s/]\S*)")  # `user:password`, also before an address
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_LINE_END = re.compile(r"\r?\n|\\n")  # also as a variable or JSON writes it
_WORD = re.compile(r"[a-z]+(?:[-_][a-z]+)*")
_ASCII_ODD = re.compile(r"[^\w@%+=:,./-]", re.ASCII)
_SHORTEST_PART = 6  # characters of one of several secrets in a list
_SHORTEST_BASE64 = 6  # characters that are the same wherever in the encoded text it stands


def placeholders_apart(text: str) -> list[str]:
    """Return what stands around and in the placeholders of a text: every second one is one."""
    return _PLACEHOLDER.split(text)


def is_word(text: str) -> bool:
    """Return whether a text could be a word of a sentence or a name."""
    return _WORD.fullmatch(text) is not None


def forms_of(secret: str) -> list[str]:
    """Return what of a secret is secret by itself: the whole, without `Bearer`, each of its lines
    and of the parts of a list, and the password of `user:password` or a cookie, also where base64
    encodes it.

    A placeholder such as `{value}` is no secret, only what stands around it.
    """
    parts = [part for part in placeholders_apart(secret)[::2] if part]
    forms = [form for part in parts for form in (part, *_inner(part))]
    lines = [line.strip() for form in forms for line in _LINE_END.split(form)]
    lines = [line for line in lines if not line.startswith("-----")]  # what kind of key it is
    return list(dict.fromkeys(form for form in (*forms, *lines) if form))


def _inner(secret: str) -> Iterator[str]:
    bare = _SCHEME.sub("", secret, count=1)
    yield bare
    for one in (bare, decoded(bare)):
        if one is None:
            continue
        if one is not bare:
            yield one
        user = _USER.fullmatch(one)
        if user is not None:  # in `user:password@tcp(db)/x` the address is no part of it
            yield user[1].rpartition("@")[0] or user[1]
    for part in re.split(r"[,\s]+", bare) if "," in bare else ():
        if len(part) >= _SHORTEST_PART and not is_word(part):
            user = _USER.fullmatch(part)
            yield user[1] if user else part
    yield from _COOKIE.findall(bare)


def decoded(text: str) -> str | None:
    """Return the text that base64 of either alphabet holds, None where it holds none."""
    text = text.strip()
    if _BASE64.fullmatch(text) is None:
        return None
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inside = b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return inside if re.sub(r"[\r\n\t]", "", inside).isprintable() else None


def _in_json(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")  # as PHP does
    yield re.sub(  # as Go does
        "[<>&]", lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(text, ensure_ascii=False)[1:-1]
    )


def _in_url(text: str) -> Iterator[str]:
    for one in (quote(text, safe=""), quote(text), quote_plus(text), quote(text, safe="!*'()~")):
        yield one
        yield re.sub("%..", lambda odd: odd[0].lower(), one)


def _on_page(text: str) -> Iterator[str]:
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")  # as Go does


def _quoted(text: str) -> Iterator[str]:
    """Yield a text as shells, Compose, Python, YAML and SQL quote it."""
    yield text.replace("$", "$$")
    yield shlex.quote(text).removeprefix("'").removesuffix("'")
    yield text.replace("'", "'\\''")
    yield text.replace("'", "''")
    yield _ASCII_ODD.sub(lambda odd: "\\" + odd[0], text)
    yield re.sub(r'[$`"\\]', lambda odd: "\\" + odd[0], text)
    yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(_bytes(text))[2:-1])


def _in_hex(text: str) -> Iterator[str]:
    yield _bytes(text).hex()
    yield _bytes(text).hex().upper()


def _in_base64(text: str) -> Iterator[str]:
    """Yield what is in the base64 of any text with this one in it, such as `user:password`."""
    data = _bytes(text)
    for before in range(3):
        encoded = b64encode(b"\0" * before + data).decode().rstrip("=")
        end = len(encoded) - ((before + len(data)) % 3 > 0)  # the last bits depend on what follows
        sure = encoded[(0, 2, 3)[before] : end]
        if len(sure) >= _SHORTEST_BASE64:
            yield from (sure, sure.replace("+", "-").replace("/", "_"))


_WAYS: tuple[Callable[[str], Iterable[str]], ...] = (
    _in_json, _in_url, _on_page, _quoted, _in_hex, _in_base64,
)  # fmt: skip
_TWICE = (  # what comes first, and what programs do to it then
    (_in_url, _in_url), (_in_json, _in_json), (_in_url, _in_base64), (_in_base64, _in_url),
    (_in_json, _in_base64), (_in_json, _on_page), (_quoted, _in_json),
)  # fmt: skip


def written(secret: str) -> set[str]:
    """Return how programs write a secret: as it is, and escaped or encoded, once or twice."""
    forms = {secret, *(form for way in _WAYS for form in way(secret))}
    for first, then in _TWICE:
        for once in set(first(secret)):
            forms.update(then(once))
    return forms


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
