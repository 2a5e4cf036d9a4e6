"""A copy of a YAML file without its secrets, which is still YAML with the same keys.

Text is masked value by value, as YAML means it, and written back so that it can be read: what only
looks at lines takes a closing quote for a part of a password, or leaves a bare `***`, an alias.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from chaoskit.scenario.masking import masked_file
from chaoskit.secrets import MASK, masked_value, passwords_in

_LARGEST = 256 * 1024  # characters: of what is larger, only the lines are looked at
_COMMENT = re.compile(r"(?<!\S)#.*(?:\n[ \t]*#.*)*")
_BEFORE_VALUE = re.compile(r"(?:[&!]\S*\s+)*")  # anchors and tags
_REFERENCE = re.compile(r"\$\{?\w+\}?")  # to a variable: no secret itself
_PLAIN = re.compile(r"[\w/$.](?:[^\s'\",:#\[\]{}]|[:#](?=\S)| (?=[^\s#]))*")


@dataclass(frozen=True, slots=True)
class _Scalar:
    """One value or key of the file: where it stands, how it is written, what it means, and the
    nearest key above it."""

    start: int
    end: int
    style: str
    value: str
    key: str
    is_key: bool


@dataclass(slots=True)
class _Level:
    """A mapping or a list that is being read."""

    mapping: bool
    key: str
    expects_key: bool


def masked_copy(text: str, clean: Callable[[str], str]) -> str:
    """Return the text of a YAML file with its secrets as `***`; `clean` masks what is known to be
    secret. What is no YAML is masked line by line."""

    def inside(part: str) -> str:
        return masked_file(clean(part))

    def between(part: str) -> str:
        return _COMMENT.sub(lambda comment: inside(comment[0]), part)

    if len(text) > _LARGEST:
        return inside(text)
    try:
        scalars = list(_scalars(text))
    except (yaml.YAMLError, RecursionError):
        return inside(text)
    done, at = "", 0
    for one in scalars:
        before = one.start + len((_BEFORE_VALUE.match(text, one.start, one.end) or "")[0])
        done += between(text[at:before]) + _written(text[before : one.end], one, inside, between)
        at = one.end
    return done + between(text[at:])


def _scalars(text: str) -> Iterator[_Scalar]:
    """Yield every key and value in the order of the file. Raises `YAMLError`."""
    levels: list[_Level] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
        if not isinstance(event, yaml.NodeEvent):
            continue
        level = levels[-1] if levels else _Level(mapping=False, key="", expects_key=False)
        is_key, key = level.mapping and level.expects_key, level.key
        if level.mapping:
            level.expects_key = not is_key
        if isinstance(event, yaml.ScalarEvent):
            level.key = str(event.value) if is_key else level.key
            begin, end = event.start_mark, event.end_mark
            assert begin is not None
            assert end is not None
            style = event.style or ""
            yield _Scalar(begin.index, end.index, style, str(event.value), key, is_key)
        elif isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            levels.append(_Level(mapping, "" if mapping else key, expects_key=mapping))


def _written(
    raw: str, one: _Scalar, inside: Callable[[str], str], between: Callable[[str], str]
) -> str:
    """Return a scalar as it is to be written, without what is secret in it."""
    if one.is_key:  # what reads the copy looks for its keys: only one that is a secret is masked
        meant = inside(one.value) if passwords_in(one.value) else one.value
    else:
        meant = masked_value(one.key, inside(one.value))
    if meant == one.value or _REFERENCE.fullmatch(one.value):
        return raw
    if one.style in ("|", ">"):
        head, _, body = raw.partition("\n")
        whole = meant == MASK
        lines = inside(body) if not whole else re.sub(r"(?m)^([ \t]*)\S.*$", rf"\1{MASK}", body)
        return f"{between(head)}\n{lines}"
    if "\n" in meant or one.style == '"':
        return json.dumps(meant, ensure_ascii=False)
    if one.style == "" and _PLAIN.fullmatch(meant):
        return meant
    return "'" + meant.replace("'", "''") + "'"
