"""The scenario as it was written, and in which lines each of its checks and faults stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

_MOST = 5_000  # lines that are shown


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario's lines; `expect` and `faults` are the first and last line of each entry."""

    lines: Sequence[str] = ()
    expect: Sequence[tuple[int, int]] = ()
    faults: Sequence[tuple[int, int]] = ()


def source_of(text: str) -> Source:
    """Return a scenario with the places of its entries; without them where it is no YAML."""
    lines = text.splitlines()[:_MOST]
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return Source(lines)
    timeline = _child(root, "timeline")
    return Source(lines, _places(_child(root, "expect")), _places(_child(timeline, "faults")))


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _places(node: yaml.Node | None) -> list[tuple[int, int]]:
    if not isinstance(node, yaml.SequenceNode):
        return []
    return [_lines(one) for one in node.value]


def _lines(node: yaml.Node) -> tuple[int, int]:
    first, end = node.start_mark.line + 1, node.end_mark
    return first, max(end.line + (end.column > 0), first)
