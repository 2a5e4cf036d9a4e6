"""Pydantic's errors, as problems of the file: where, what, what to do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from chaoskit.errors import Problem
from chaoskit.scenario import error_wording
from chaoskit.scenario.document import KINDS
from chaoskit.scenario.model_lookup import keys_of, models_at
from chaoskit.scenario.nodes import Mapping, Node, Path, Scalar, child, plain
from chaoskit.scenario.source import Source
from chaoskit.scenario.suggest import closest
from chaoskit.text import listed

_KEY = "[key]"  # pydantic's mark for an error in a key of a dict
_BOUNDS = frozenset({"too_short", "too_long"})  # only said of a value whose type fits
_MOST_READINGS = 32
_MOST_ERRORS = 2000  # nobody reads more, and a hostile file can have 100,000
_PLACES = {
    "fault": "a fault",
    "probe": "a probe",
    "workload": "a workload",
    "check": "a check",
}


@dataclass(frozen=True, slots=True)
class _Error:
    """One of pydantic's errors and the place in the file that it is about."""

    kind: str
    message: str
    context: dict[str, Any]
    path: Path  # exists in the file; for `missing`, of the parent
    key: str | None  # the missing or unknown key, or the bad key itself
    branches: tuple[tuple[Path, str], ...]  # union members passed on the way, and where


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to follow a location through the file."""

    path: Path
    branches: tuple[tuple[Path, str], ...]
    node: Node
    took_last: bool


def problems_of(error: ValidationError, source: Source, model: type[BaseModel]) -> list[Problem]:
    """Return every problem that a failed validation of `source` found, in a user's words."""
    details = error.errors(include_url=False)[:_MOST_ERRORS]
    errors = [_located(detail, source.root) for detail in details]
    kept = [one for one in errors if not _spoiled(source, one.path)]
    groups = _unions_settled(kept)
    data = source.data
    problems: list[Problem] = []
    corrected: set[tuple[Path, str | None]] = set()
    for one in (group[0] for group in groups if group[0].kind == "extra_forbidden"):
        problem, meant = _unknown_key(one, source, models_at(model, one.path, data))
        problems.append(problem)
        corrected.add((one.path, meant))
    for group in groups:
        one = group[0]
        told = one.kind == "missing" and (one.path, one.key) in corrected
        if one.kind != "extra_forbidden" and not told:
            problems.append(_translated(group, source))
    return problems


def _spoiled(source: Source, path: Path) -> bool:
    node = source.node(path)
    return isinstance(node, Scalar) and node.spoiled


def _located(detail: Any, root: Mapping) -> _Error:
    location = tuple(detail["loc"])
    kind, key = detail["type"], None
    context = detail.get("ctx", {})
    if location and location[-1] == _KEY:
        location, key = location[:-2], str(location[-2])
        kind = "key:" + kind
    elif kind in ("missing", "extra_forbidden"):
        location, key = location[:-1], str(location[-1])
    path, branches = _aligned(location, root, partial(_fits, kind, key))
    return _Error(kind, detail["msg"], context, path, key, branches)


def _fits(kind: str, key: str | None, node: Node) -> bool:
    """Return whether an error of this kind can be about this node at all."""
    if kind == "extra_forbidden":
        return isinstance(node, Mapping) and key in node.entries
    if kind == "missing":
        return isinstance(node, Mapping) and key not in node.entries
    return True


def _aligned(
    location: Sequence[str | int], root: Node, fits: Callable[[Node], bool]
) -> tuple[Path, tuple[tuple[Path, str], ...]]:
    """Walk the tree along pydantic's location; parts that are not in the file are union members.

    A union member may share its name with a key (`http:` of an operation): of all readings the
    one wins that ends at a node that fits, then one that takes the last part, then the longest.
    """
    readings = [_Reading((), (), root, True)]
    for part in location:
        following: list[_Reading] = []
        for one in readings:
            below = child(one.node, part)
            if below is not None:
                following.append(_Reading((*one.path, part), one.branches, below, True))
            if below is None or (isinstance(part, str) and len(readings) < _MOST_READINGS):
                branches = (*one.branches, (one.path, str(part)))
                following.append(_Reading(one.path, branches, one.node, False))
        readings = following
    best = max(readings, key=lambda one: (fits(one.node), one.took_last, len(one.path)))
    return best.path, best.branches


def _unions_settled(errors: Iterable[_Error]) -> list[list[_Error]]:
    """Group the errors of one union; of its members keep those that the value was meant for.

    Pydantic reports every member of a union. A member whose errors lie below the value was
    entered: its shape fits. If any was, the others say nothing; if none was, they are one problem.
    """
    remaining = list(errors)
    members: dict[Path, set[str]] = defaultdict(set)
    for one in remaining:
        for path, name in one.branches:
            members[path].add(name)
    for path in sorted((p for p, names in members.items() if len(names) > 1), key=len):
        of_union = [one for one in remaining if any(p == path for p, _ in one.branches)]
        entered = [one for one in of_union if one.path != path or one.key is not None]
        if entered and len(entered) < len(of_union):
            dropped = {id(one) for one in of_union} - {id(one) for one in entered}
            remaining = [one for one in remaining if id(one) not in dropped]
    groups: dict[object, list[_Error]] = {}
    for index, one in enumerate(remaining):
        in_union = any(p == one.path and len(members[p]) > 1 for p, _ in one.branches)
        groups.setdefault(one.path if in_union and one.key is None else index, []).append(one)
    return list(groups.values())


def _translated(group: list[_Error], source: Source) -> Problem:
    one = group[0]
    node = source.node(one.path)
    value = plain(node) if node is not None else None
    nouns = [noun for each in group if (noun := error_wording.expected(each.kind, each.context))]
    if len(group) > 1:
        told = [each for each in group if error_wording.expected(each.kind, each.context) is None]
        if told and (told[0].kind in _BOUNDS or isinstance(value, str | int | float)):
            one, nouns = told[0], []
    if one.kind == "missing":
        return _missing_key(one, source)
    if one.kind.startswith("union_tag_") and _sort(one) in KINDS:
        return _wrong_kind(one, source)
    typo = _misspelled(one, node)
    if typo is not None:
        text = f"unknown key `{typo[0]}` in {error_wording.subject(one.path)}"
        text += f"; did you mean `{typo[1]}`?"
        return source.problem((*one.path, typo[0]), text, where="key")
    if one.kind.startswith("key:"):
        path = (*one.path, one.key or "")
        text = error_wording.limit(one.kind[4:], path, one.context, one.key) or _told(one)
        return source.problem(path, text, where="key")
    if nouns:
        hints = (error_wording.retyping_hint(each.kind, node) for each in group)
        hint = next((hint for hint in hints if hint), None)
        return source.problem(one.path, error_wording.mismatch(one.path, nouns, value), hint)
    text = error_wording.limit(one.kind, one.path, one.context, value) or _told(one)
    return source.problem(_named_field(text, one.path, node), text)


def _misspelled(one: _Error, node: Node | None) -> tuple[str, str] | None:
    """Return the key that is one of those of which the value needs one, but for its spelling."""
    if one.kind != "operation_missing" or not isinstance(node, Mapping):
        return None
    possible = re.findall(r"`(\w+):`", one.message)
    for key in node.entries:
        meant = closest(key, possible)
        if meant is not None:
            return key, meant
    return None


def _told(one: _Error) -> str:
    """Return the message of our own validator, or pydantic's in our style."""
    raised = one.context.get("error")
    if raised is not None:
        return str(raised)
    text = one.message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text.replace("Input should be", "expected").replace("Input should", "it should")
    return text[:1].lower() + text[1:]


def _named_field(text: str, path: Path, node: Node | None) -> Path:
    """Point at the field that a sentence about a whole block names first."""
    if isinstance(node, Mapping):
        for name in re.findall(r"`([^`]+)`", text):
            if name in node.entries:
                return (*path, name)
    return path


def _unknown_key(
    one: _Error, source: Source, models: list[type[BaseModel]]
) -> tuple[Problem, str | None]:
    key = one.key or ""
    known = keys_of(models[0]) if models else []
    node = source.node(one.path)
    present = node.entries if isinstance(node, Mapping) else {}
    free = [name for name in known if name not in present]
    meant = closest(key, free) or closest(key, known)
    text = f"unknown key `{key}`" + (f" in {error_wording.subject(one.path)}" if one.path else "")
    hint = None
    if meant:
        text += f"; did you mean `{meant}`?"
    elif known:
        hint = f"possible here: {listed(free or known)}"
    return source.problem((*one.path, key), text, hint, where="key"), meant


def _missing_key(one: _Error, source: Source) -> Problem:
    place = error_wording.subject(one.path)
    return source.problem(one.path, f"{place} needs the key `{one.key}`", where="key")


def _sort(one: _Error) -> str:
    return str(one.context.get("discriminator", "")).strip("'")


def _wrong_kind(one: _Error, source: Source) -> Problem:
    sort = _sort(one)
    names = KINDS[sort].names()
    hint: str | None = f"possible: {listed(names)}"
    node = child(source.node(one.path), sort)
    if node is None:
        block = source.node(one.path)
        present = list(block.entries) if isinstance(block, Mapping) else []
        typo = closest(sort, present)
        text = f"{_PLACES[sort]} needs the key `{sort}`, which names its kind"
        if typo:
            text = f"unknown key `{typo}`; did you mean `{sort}`?"
            return source.problem((*one.path, typo), text, where="key")
        return source.problem(one.path, text, hint, where="key")
    value = plain(node)
    if not isinstance(value, str):
        text = f"`{sort}` expects the name of a kind, got {error_wording.got(value)}"
        return source.problem((*one.path, sort), text, hint)
    meant = closest(value, names)
    text = f"no {sort} is called `{error_wording.shortened(value)}`"
    if meant:
        text, hint = f"{text}; did you mean `{meant}`?", None
    return source.problem((*one.path, sort), text, hint)
