"""The tree of a YAML document: plain values that remember where they were written.

Aliases share their node, so positions of aliased content are those of its definition.
Lines and columns count from 1, in characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `text` is what was written, before `${VAR}` and type resolution."""

    span: Span
    text: str
    value: bool | int | float | str | None
    plain: bool = True  # written without quotes
    spoiled: bool = False  # already reported: the value means nothing
    secrets: tuple[str, ...] = ()  # parts of the value that no output may show


@dataclass(slots=True)
class Mapping:
    """A block or flow mapping; `keys` holds the place of each key."""

    span: Span
    keys: dict[str, Span] = field(default_factory=dict)
    entries: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True)
class Sequence:
    """A block or flow sequence."""

    span: Span
    items: list[Node] = field(default_factory=list)


Node: TypeAlias = Scalar | Mapping | Sequence


def child(node: Node | None, part: str | int) -> Node | None:
    """Return the node under a key or index, or None."""
    if isinstance(node, Mapping) and isinstance(part, str):
        return node.entries.get(part)
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def at(node: Node | None, path: Path) -> Node | None:
    """Return the node at a path, or None where the path leaves the tree."""
    for part in path:
        node = child(node, part)
    return node


def plain(node: Node) -> Plain:
    """Return the node as dicts, lists and scalars."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def scalars(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """Yield every scalar at or below a node with its path, in the order of the file."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from scalars(item, (*path, index))
    else:
        for key, value in node.entries.items():
            yield from scalars(value, (*path, key))
