"""Secrets in any text or document, also where one stands inside the other."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

import yaml

from chaoskit.records import Json
from chaoskit.secrets.forms import decoded, forms_of
from chaoskit.secrets.names import HARMLESS_ENDS, holds_a_secret, looks_random, named_like_a_secret
from chaoskit.secrets.places import secrets_at

_DEEPEST = 5  # texts in texts: JSON in JSON in a query
_LARGEST_YAML = 64 * 1024  # characters: what is larger is looked at line by line only
_MOST_VALUES = 10_000  # of a document; aliases of YAML can make it endless


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """Return the values of keys named like a secret, and the secrets inside other values."""
    return secrets_of_document(dict(environment))


def passwords_in(text: str) -> list[str]:
    """Return the secrets of a text: of URLs, assignments, options, commands, lines of files, and of
    the JSON or YAML that it is."""
    return _unique(_in_text(text, _DEEPEST))


def secrets_of_document(document: Json) -> list[str]:
    """Return the secrets of a document: values by their keys, and what its texts hold."""
    return _unique(_in_document(document, _DEEPEST))


def _unique(found: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(form for one in dict.fromkeys(found) for form in forms_of(one)))


def _in_text(text: str, deep: int) -> Iterator[str]:
    if deep == 0 or not text:
        return
    for one in secrets_at(text):
        yield one
        yield unquote(one)
    if "%" in text and (meant := unquote(text)) != text:
        yield from _in_text(meant, deep - 1)
    if (inside := decoded(text)) is not None and (found := list(_in_text(inside, deep - 1))):
        yield text.strip()
        yield from found
    yield from _in_document(_document(text), deep - 1)


def _document(text: str) -> Json:
    """Return what a text means as JSON, or as YAML with keys in it; None where it is neither."""
    text = text.strip()
    if text[:1] in ("{", "[", '"'):
        try:
            return json.loads(text)  # type: ignore[no-any-return]
        except (ValueError, RecursionError):
            pass
    if len(text) > _LARGEST_YAML or ":" not in text or not ("\n" in text or text[:1] in "{["):
        return None
    try:
        document: Json = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping | list) else None


def _in_document(document: Json, deep: int) -> Iterator[str]:
    left = [(document, "")]
    for _ in range(_MOST_VALUES):
        if not left:
            return
        value, name = left.pop()
        if isinstance(value, str):
            yield from _in_value(name, value, deep)
        elif isinstance(value, Mapping):
            left += [(one, str(key)) for key, one in value.items()]
            named, given = value.get("name", value.get("key")), value.get("value")
            if isinstance(named, str) and isinstance(given, str):  # as Kubernetes lists variables
                left.append((given, named))
        elif isinstance(value, Sequence):
            left += [(one, name) for one in value]
            if len(value) > 1 and all(isinstance(one, str) for one in value):
                words = [str(one) for one in value]  # a command: `--requirepass`, `x`
                yield from _in_text(" ".join(words), deep)
                yield from _in_text(shlex.join(words), deep)
        elif _is_number(value) and holds_a_secret(name, str(value)):
            yield str(value)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_value(name: str, value: str, deep: int) -> Iterator[str]:
    if name and holds_a_secret(name, value):
        yield value
        if "%" in value:
            yield unquote(value)
        yield from _leaves(_document(value))
    yield from _in_text(value, deep)


def _leaves(document: Json) -> Iterator[str]:
    """Yield what a document holds that is a secret as a whole: texts of lists, and those that look
    random, unless their keys say what else they are."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if isinstance(value, str):
                harmless = str(key).lower() in HARMLESS_ENDS
                if named_like_a_secret(str(key)) or (looks_random(value) and not harmless):
                    yield value
            else:
                yield from _leaves(value)
    elif isinstance(document, Sequence) and not isinstance(document, str):
        for value in document:
            if isinstance(value, str):
                yield value
            else:
                yield from _leaves(value)
