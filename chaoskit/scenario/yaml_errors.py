"""YAML's syntax errors in plain words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from yaml import MarkedYAMLError, YAMLError

from chaoskit.scenario.nodes import Span

_QUOTE_IT = "put the value in quotes"
_UNCLOSED_QUOTE = "this quote is never closed"

# (pattern over libyaml's and PyYAML's wording, what we say, hint); the first match wins
_WORDING: tuple[tuple[str, str, str | None], ...] = (
    (
        "mapping values are not allowed",
        "a `key: value` is not possible here",
        "check the indentation and the line above; a value that contains `: ` needs quotes",
    ),
    (r"expected ',' or '}'", "the `{` is not closed here: expected `,` or `}`", None),
    (r"expected ',' or '\]'", "the `[` is not closed here: expected `,` or `]`", None),
    ("unexpected end of stream", _UNCLOSED_QUOTE, None),
    (
        "unknown escape|expected escape sequence|hexdecimal|Unicode character",
        "unknown escape sequence in a double-quoted text",
        "use single quotes, or write `\\\\` for a backslash",
    ),
    (
        "expected '-' indicator|expected key|expected <block end>",
        "this line does not fit the lines above",
        "entries of one block start in the same column, lists with `- `, mappings with `key: `",
    ),
    (
        "could not find expected ':'",
        "expected `key: value`",
        "a key on a line of its own ends with `:`",
    ),
    ("anchor|alias", "`&` and `*` start an anchor or an alias, which needs a name", _QUOTE_IT),
    ("tag", "this tag is not valid", "scenario files need no tags: remove it"),
    ("directive", "`%` starts a directive, which scenario files do not need", _QUOTE_IT),
    (
        "<document start>",
        "nothing may follow the end of the document",
        "remove the `...` line and what follows it",
    ),
    (
        "comment or line break|chomping or indentation|indentation indicator",
        "nothing may follow `|` or `>` on this line",
        "start the text on the next line, or put it in quotes",
    ),
    ("expected (the )?node content", "expected a value here", _QUOTE_IT),
)


def explained(error: YAMLError, lines: Sequence[str]) -> tuple[Span, str, str | None]:
    """Return where a syntax error is, what it is and what to do about it."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Span(1, 1), "this is not YAML", None
    mark, problem = error.problem_mark, error.problem or ""
    span = _inside(mark.line, mark.column, lines)
    here = lines[span.line - 1][span.column - 1 : span.column] if lines else ""
    if "cannot start any token" in problem:
        if here == "\t":
            return span, "a tab cannot indent YAML", "use spaces"
        return span, f"a value cannot start with '{here}'", _QUOTE_IT
    for pattern, message, hint in _WORDING:
        if re.search(pattern, f"{error.context} {problem}"):
            opened = error.context_mark
            if opened is not None and message == _UNCLOSED_QUOTE:
                span = _inside(opened.line, opened.column, lines)
            elif opened is not None and "close" in message and opened.line != span.line - 1:
                return span, f"{message} (opened in line {opened.line + 1})", hint
            return span, message, hint
    return span, f"not valid YAML: {problem}", None


def _inside(line: int, column: int, lines: Sequence[str]) -> Span:
    """Turn a mark, which may lie behind the last line, into a place inside the file."""
    last = len(lines)
    while last > 1 and not lines[last - 1].strip():
        last -= 1
    if line >= last:
        line, column = last - 1, len(lines[last - 1].rstrip()) if lines else 0
    return Span(max(0, line) + 1, column + 1)
