"""From YAML events to nodes: strict about keys, bounded in size, never recursive.

PyYAML's own composer recurses, merges, resolves by YAML 1.1 and lets the last duplicate win; its
parser does none of that, so only the parser is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Environ
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml import events

from chaoskit.scenario.masking import masked_line
from chaoskit.scenario.nodes import Mapping, Node, Scalar, Sequence, Span
from chaoskit.scenario.scalars import (
    Unresolvable,
    resolved,
    shielded,
    substituted,
    unshielded,
)
from chaoskit.secrets import named_like_a_secret

MOST_NODES = 100_000  # after expanding aliases
MOST_CHARACTERS = 8 * 1024 * 1024  # likewise
DEEPEST = 50

Report: TypeAlias = Callable[[Span, str, str | None], None]


class Stopped(Exception):
    """The rest of the file cannot be understood; the reason has been reported."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """How large a node is when every alias in it is written out."""

    nodes: int = 1
    characters: int = 0
    height: int = 1


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open."""

    node: Mapping | Sequence
    anchor: str | None
    flow: bool
    waiting: bool = False  # a key has been read, its value comes next
    key: str | None = None  # None while waiting: the value is dropped with its bad key
    nodes: int = 1
    characters: int = 0
    height: int = 1


def compose(text: str, environ: Environ[str, str], report: Report) -> Node | None:
    """Return the root node of the document in `text`, or None when there is none.

    Problems go to `report`; raises `Stopped` when the rest cannot be read, `yaml.YAMLError` for
    wrong syntax.
    """
    composer = _Composer(text, environ, report)
    for event in events_of(text):
        composer.take(event)
    return composer.root


def events_of(text: str) -> Iterator[yaml.Event]:
    """Yield what the parser finds in a text. Raises `yaml.YAMLError` for wrong syntax."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return iter(yaml.parse(shielded(text), Loader=loader))


class _Composer:
    def __init__(self, text: str, environ: Environ[str, str], report: Report) -> None:
        self.root: Node | None = None
        self._lines = lines_of(text)
        self._environ = environ
        self._report = report
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, _Extent] | None] = {}  # None: still open
        self._documents = 0
        self._nodes = 0
        self._characters = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case events.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._stop(self._span(event), "a scenario file holds one document, not several")
            case events.AliasEvent():
                self._alias(event)
            case events.ScalarEvent():
                self._scalar(event)
            case events.MappingStartEvent() | events.SequenceStartEvent():
                self._open(event)
            case events.MappingEndEvent() | events.SequenceEndEvent():
                self._close(event)

    def _stop(self, span: Span, message: str, hint: str | None = None) -> None:
        self._report(span, message, hint)
        raise Stopped

    def _span(self, event: yaml.Event) -> Span:
        line, column = _place(event.start_mark)
        end_line, end_column = _place(event.end_mark)
        if end_line != line:
            text = self._lines[line - 1] if line <= len(self._lines) else ""
            end_column = len(text.rstrip()) + 1
        return Span(line, column, max(1, end_column - column))

    def _alias(self, event: events.AliasEvent) -> None:
        span = self._span(event)
        if event.anchor not in self._anchors:
            self._report(span, f"no anchor `&{event.anchor}` comes before this alias", None)
            self._add(Scalar(span, "", None, spoiled=True), _Extent())
            return
        anchored = self._anchors[event.anchor]
        if anchored is None:
            self._report(span, f"`*{event.anchor}` stands inside the value that it names", None)
            self._add(Scalar(span, "", None, spoiled=True), _Extent())
            return
        node, extent = anchored
        self._grow(span, extent)
        self._add(node, extent)

    def _grow(self, span: Span, extent: _Extent) -> None:
        self._nodes += extent.nodes
        self._characters += extent.characters
        if self._nodes > MOST_NODES or self._characters > MOST_CHARACTERS:
            self._stop(
                span,
                f"the file holds more than {MOST_NODES} values or {MOST_CHARACTERS >> 20} MiB, "
                "aliases written out",
            )
        if len(self._stack) + extent.height > DEEPEST:
            self._stop(span, f"blocks are nested more than {DEEPEST} deep")

    def _scalar(self, event: events.ScalarEvent) -> None:
        span = self._span(event)
        text = unshielded(event.value)
        is_plain = event.style is None or event.style == ""
        spoiled = self._tagged(event.tag, span)
        if any("\ud800" <= c <= "\udfff" for c in text):
            self._report(span, "an escape stands for half a character", "write the whole character")
            text, spoiled = "", True
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.node, Mapping) and not top.waiting:
            node = Scalar(span, text, resolved(text) if is_plain else text, is_plain, spoiled)
        else:
            node = self._value(text, span, is_plain, spoiled)
        extent = _Extent(1, len(text if node.value is None else str(node.value)), 1)
        if event.anchor:
            self._anchors[event.anchor] = (node, extent)
        self._grow(span, extent)
        self._add(node, extent)

    def _value(self, text: str, span: Span, is_plain: bool, spoiled: bool) -> Scalar:
        try:
            final, secrets = substituted(text, self._environ)
        except Unresolvable as error:
            self._report(self._within(span, error.written), error.message, error.hint)
            return Scalar(span, text, None, is_plain, spoiled=True)
        if named_like_a_secret(self._key_above()):
            secrets = (*secrets, final)
        value = resolved(final) if is_plain else final
        return Scalar(span, text, value, is_plain, spoiled, secrets)

    def _key_above(self) -> str:
        """Return the key whose value, or an item of whose list, comes next; else nothing."""
        open_ones = (frame for frame in reversed(self._stack) if isinstance(frame.node, Mapping))
        frame = next(open_ones, None)
        return (frame.key if frame else None) or ""

    def _within(self, span: Span, written: str) -> Span:
        """Return the place of `written` in the first lines of a scalar, or the scalar's own."""
        for number in range(span.line, min(span.line + 50, len(self._lines) + 1)):
            start = span.column - 1 if number == span.line else 0
            line = self._lines[number - 1]
            found = line.find(written, start)
            if found >= 0 and masked_line(line).startswith(written, found):
                return Span(number, found + 1, len(written))
        return span

    def _tagged(self, tag: str | None, span: Span) -> bool:
        if tag is None:
            return False
        self._report(span, f"the tag `{tag}` has no meaning in a scenario file", "remove the tag")
        return True

    def _open(self, event: events.MappingStartEvent | events.SequenceStartEvent) -> None:
        span = self._span(event)
        self._tagged(event.tag, span)
        node: Mapping | Sequence
        node = Mapping(span) if isinstance(event, events.MappingStartEvent) else Sequence(span)
        self._grow(span, _Extent())
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(_Frame(node, event.anchor, bool(event.flow_style)))

    def _close(self, event: events.MappingEndEvent | events.SequenceEndEvent) -> None:
        frame = self._stack.pop()
        start = frame.node.span
        line, column = _place(event.end_mark)
        if frame.flow and line == start.line:
            frame.node.span = Span(line, start.column, column - start.column)
        extent = _Extent(frame.nodes, frame.characters, frame.height)
        if frame.anchor:
            self._anchors[frame.anchor] = (frame.node, extent)
        self._add(frame.node, extent)

    def _add(self, node: Node, extent: _Extent) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.nodes += extent.nodes
        frame.characters += extent.characters
        frame.height = max(frame.height, extent.height + 1)
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.waiting:
            frame.waiting = False
            if frame.key is not None:
                frame.node.entries[frame.key] = node
        else:
            frame.waiting = True
            frame.key = self._key(frame.node, node)

    def _key(self, mapping: Mapping, node: Node) -> str | None:
        """Check a key and note its place; None means that its value is dropped."""
        if not isinstance(node, Scalar):
            self._report(node.span, "a key must be text, not a list or a mapping", None)
            return None
        if node.plain and node.text == "<<":
            message = "merge keys (`<<`) are not possible in a scenario file"
            self._report(node.span, message, "write the fields out")
            return None
        if not isinstance(node.value, str):
            hint = f'write "{node.text}" in quotes' if node.text else "write a key before the `:`"
            self._report(node.span, "a key must be text", hint)
            return None
        first = mapping.keys.get(node.value)
        if first is not None:
            message = f"duplicate key `{node.value}`: the first is in line {first.line}"
            self._report(node.span, message, None)
            return None
        mapping.keys[node.value] = node.span
        if not mapping.entries and len(mapping.keys) == 1 and mapping.span.line == node.span.line:
            mapping.span = Span(mapping.span.line, mapping.span.column, node.span.width)
        return node.value


def _place(mark: Any) -> tuple[int, int]:
    """Return line and column of a mark, counted from 1; both parsers always give one."""
    return mark.line + 1, mark.column + 1


def lines_of(text: str) -> list[str]:
    """Split at exactly what YAML takes for a line break."""
    for ending in ("\r\n", "\r", "\x85", "\u2028", "\u2029"):
        text = text.replace(ending, "\n")
    return text.split("\n")
