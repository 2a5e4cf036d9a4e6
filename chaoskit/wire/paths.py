"""JSONPath: checked when a scenario is read, compiled once, and strict about missing lists."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from chaoskit.records import Json
from chaoskit.text import one_line
from chaoskit.wire.error_text import LONGEST

if TYPE_CHECKING:
    from jsonpath import CompoundJSONPath, JSONPath


class NoMatch(ValueError):
    """A document lacks what a path names."""


@functools.cache
def _compiled(path: str) -> JSONPath | CompoundJSONPath:
    import jsonpath

    return jsonpath.compile(path)


def _checked(path: str) -> str:
    import jsonpath

    if not path.startswith("$"):
        raise ValueError(f"a JSONPath starts with `$`: write `$.{path}`")
    try:
        _compiled(path)
    except jsonpath.JSONPathError as error:
        why = one_line(str(error).splitlines()[0], LONGEST)
        raise ValueError(f"not a JSONPath: {why}") from None
    return path


def _checked_list(path: str) -> str:
    compiled = _compiled(_checked(path))
    if not hasattr(compiled, "segments") or ".." in path:
        raise ValueError(
            "a path of values names its list: without `..`, `|` and `&`, "
            "or a missing list would look like an empty one"
        )
    return path


JsonPath = Annotated[str, AfterValidator(_checked)]
ListPath = Annotated[str, AfterValidator(_checked_list)]


def one(path: str, document: Json) -> Json:
    """Return what the path matches: its value, or a list where it may match several.

    Raises `NoMatch` when it matches nothing.
    """
    compiled: Any = _compiled(path)
    matches: list[Json] = compiled.findall(document)
    if not matches:
        raise NoMatch(f"no match for {path}")
    single = hasattr(compiled, "segments") and compiled.singular_query()
    return matches[0] if single else matches


def many(path: str, document: Json) -> list[Json]:
    """Return the list of values a path names, in document order.

    An empty list in the document gives an empty list; a list that is not there, or items without
    the named field, raise `NoMatch`.
    """
    compiled: Any = _compiled(path)
    matches: list[Json] = compiled.findall(document)
    if compiled.singular_query():
        if not matches:
            raise NoMatch(f"no match for {path}")
        if not isinstance(matches[0], list):
            raise NoMatch(f"{path} is not a list")
        return matches[0]
    if not matches and not _empty(compiled, document):
        raise NoMatch(f"no match for {path}")
    return matches


def _empty(path: JSONPath, document: Any) -> bool:
    """Return whether the list that `path` selects from is there, and selects nothing."""
    from jsonpath import JSONPath
    from jsonpath.selectors import (
        Filter,
        IndexSelector,
        NameSelector,
        SliceSelector,
    )

    for position, segment in enumerate(path.segments):
        selectors = segment.selectors
        if len(selectors) == 1 and isinstance(selectors[0], NameSelector | IndexSelector):
            continue
        found = JSONPath(env=path.env, segments=path.segments[:position]).findall(document)
        if len(found) != 1 or not isinstance(found[0], list | dict):
            return False
        return not found[0] or all(isinstance(s, Filter | SliceSelector) for s in selectors)
    return False
