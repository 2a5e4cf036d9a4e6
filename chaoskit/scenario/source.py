"""One scenario file: its text, its nodes, and how to point into it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping as Environ
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from chaoskit.errors import Problem, ScenarioInvalid, UsageError
from chaoskit.files import opened
from chaoskit.scenario import nodes
from chaoskit.scenario.composer import Stopped, compose, lines_of
from chaoskit.scenario.masking import LONGEST, masked, masked_line
from chaoskit.scenario.nodes import Mapping, Node, Scalar, Span
from chaoskit.scenario.suggest import closest
from chaoskit.scenario.yaml_errors import explained
from chaoskit.text import BIDI

LARGEST = 1024 * 1024  # bytes
STDIN = Path("-")
MOST_PROBLEMS = 1000  # of one file
_LONGEST_SHOWN = 200  # characters of a source line
_LONGEST_MESSAGE = 500
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\u2028\u2029]"
)
_NOT_SHOWN = re.compile(f"{_UNPRINTABLE.pattern}|[{BIDI}]")

Where = Literal["value", "key"]


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file that could be read; `problems` did not stop the reading."""

    file: str
    lines: tuple[str, ...]
    root: Mapping
    problems: tuple[Problem, ...] = ()

    @property
    def data(self) -> dict[str, nodes.Plain]:
        """The document as plain values, variables replaced."""
        return {key: nodes.plain(value) for key, value in self.root.entries.items()}

    def node(self, path: nodes.Path) -> Node | None:
        return nodes.at(self.root, path)

    def span(self, path: nodes.Path, where: Where = "value") -> Span:
        """Return the place of the value or the key at a path; of its parent if it is not there."""
        while path:
            parent, node = nodes.at(self.root, path[:-1]), nodes.at(self.root, path)
            key = parent.keys.get(str(path[-1])) if isinstance(parent, Mapping) else None
            absent = node is None or (isinstance(node, Scalar) and node.plain and not node.text)
            if key is not None and (where == "key" or absent):
                return key
            if node is not None:
                return node.span
            path = path[:-1]
        return self.root.span

    def problem(
        self,
        path: nodes.Path,
        message: str,
        hint: str | None = None,
        *,
        where: Where = "value",
        word: str | None = None,
    ) -> Problem:
        """Return a problem at a path; `word` narrows the caret to that part of the value."""
        span = self.span(path, where)
        node = self.node(path)
        if word and isinstance(node, Scalar):
            span = self._narrowed(span, word)
        secrets = (
            tuple(s for _, scalar in nodes.scalars(node) for s in scalar.secrets) if node else ()
        )
        return problem_at(self.file, self.lines, span, message, hint, secrets=secrets)

    def _narrowed(self, span: Span, word: str) -> Span:
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        if masked_line(line) != line.rstrip():
            return span
        end = span.column - 1 + span.width
        host = r"(?<=[/@])" if "://" in line[span.column - 1 : end] else ""
        pattern = re.compile(rf"{host}(?<![\w.-]){re.escape(word)}(?![\w.-])")
        match = pattern.search(line, span.column - 1, end)
        return Span(span.line, match.start() + 1, len(word)) if match else span


def read(path: Path, environ: Environ[str, str]) -> Source:
    """Read a scenario file; `-` is stdin.

    Raises `UsageError` when there is no such file, `ScenarioInvalid` when it holds no mapping.
    """
    return parsed(path, text_of(path), environ)


def text_of(path: Path) -> str:
    """Return the text of a scenario file; of stdin, which is `-`, only once.

    Raises `UsageError` when there is no such file, `ScenarioInvalid` when it holds no text.
    """
    return _decoded(str(path), _bytes(path))


def parsed(path: Path, text: str, environ: Environ[str, str]) -> Source:
    """Parse the text of a scenario file. Raises `ScenarioInvalid` when it holds no mapping."""
    file = str(path)
    lines = tuple(lines_of(text))
    problems: list[Problem] = []

    def report(span: Span, message: str, hint: str | None) -> None:
        del problems[MOST_PROBLEMS - 1 :]
        problems.append(problem_at(file, lines, span, message, hint))

    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        before = lines_of(text[: bad.start()])
        span = Span(len(before), len(before[-1]) + 1)
        report(span, f"the control character U+{ord(bad[0]):04X} is not allowed", "remove it")
        raise ScenarioInvalid(problems)
    try:
        root = compose(text, environ, report)
    except Stopped:
        raise ScenarioInvalid(problems) from None
    except yaml.YAMLError as error:
        report(*explained(error, lines))
        raise ScenarioInvalid(problems) from None
    if root is None or (isinstance(root, Scalar) and not root.text and root.plain):
        needs = "a scenario has `name`, `stack`, `probes`, `timeline` and `expect`"
        report(Span(1, 1), "the file is empty", f"{needs}: see `chaoskit schema scenario`")
        raise ScenarioInvalid(problems)
    if not isinstance(root, Mapping):
        got = "a list" if isinstance(root, nodes.Sequence) else "a single value"
        report(root.span, f"a scenario file is a mapping of `key: value`, not {got}", None)
        raise ScenarioInvalid(problems)
    if "services" in root.entries and not {"stack", "timeline", "expect"} & set(root.entries):
        hint = "a scenario names it: `stack: {compose: FILE}`; see `chaoskit schema scenario`"
        report(Span(1, 1), "this is a Compose file, not a scenario", hint)
        raise ScenarioInvalid(problems[-1:])
    return Source(file, lines, root, tuple(problems))


def no_such_path(path: Path) -> UsageError:
    """Return the error for a path that does not exist, with what it may have meant."""
    if path.is_symlink():
        return UsageError(leads_nowhere(path))
    meant = _like(path)
    suggestion = "" if meant is None else f"; did you mean `{meant}`?"
    return UsageError(f"no file or directory `{path}`{suggestion}")


def leads_nowhere(link: Path) -> str:
    """Return what is wrong with a link to nothing, or to itself."""
    return f"`{link}` is a link that leads nowhere: to `{link.readlink()}`"


def _like(path: Path) -> Path | None:
    """Return the path that is there and most like this one, also where a folder is misspelled."""
    with contextlib.suppress(OSError):
        folder: Path | None = path.parent
        if folder == path:
            return None
        if not path.parent.is_dir():
            folder = _like(path.parent)
        if folder is None:
            return None
        if (folder / path.name).exists():
            return folder / path.name
        name = closest(path.name, [entry.name for entry in folder.iterdir()])
        return None if name is None else folder / name
    return None


def problem_at(
    file: str,
    lines: tuple[str, ...],
    span: Span,
    message: str,
    hint: str | None,
    *,
    secrets: tuple[str, ...] = (),
) -> Problem:
    """Return a problem with its source line; nothing in it shows a secret."""
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    shown = ""
    if len(line) <= LONGEST and span.column <= _LONGEST_SHOWN:
        shown = _NOT_SHOWN.sub("?", masked_line(line.replace("\t", " ")))
        if len(shown) > _LONGEST_SHOWN:
            shown = shown[: _LONGEST_SHOWN - 3] + "..."
    width = len(shown[span.column - 1 : span.column - 1 + span.width].rstrip())
    return Problem(
        file=file,
        line=span.line,
        column=span.column,
        message=_cut(masked(message, secrets)),
        source=shown,
        width=max(1, width),
        hint=None if hint is None else _cut(masked(hint, secrets)),
    )


def _cut(text: str) -> str:
    text = _NOT_SHOWN.sub("?", " ".join(text.splitlines()))
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 3] + "..."


def _bytes(path: Path) -> bytes:
    if path == STDIN:
        data = sys.stdin.buffer.read(LARGEST + 1)
        return _not_too_large(path, data, len(data))
    if path.is_dir():
        raise UsageError(f"`{path}` is a directory, not a scenario file")
    try:
        with opened(path) as stream:
            data = stream.read(LARGEST + 1)
            size = max(len(data), path.stat().st_size)
    except FileNotFoundError:
        raise no_such_path(path) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read `{path}`: {reason.lower()}") from None
    return _not_too_large(path, data, size)


def _not_too_large(path: Path, data: bytes, size: int) -> bytes:
    if size > LARGEST:
        message = f"the file has {size / LARGEST:.1f} MiB; a scenario file has at most 1 MiB"
        raise ScenarioInvalid([Problem(str(path), 1, 1, message)])
    return data


def _decoded(file: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ScenarioInvalid([Problem(file, 1, 1, "the file is UTF-16; save it as UTF-8")])
    nul = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where, what = error.start, "this byte is not UTF-8 text"
        if data.startswith(b"\xef\xbb\xbf"):
            where += 3  # the codec counts from behind the byte order mark
        if nul >= 0:
            where, what = min(nul, where), "this is a binary file"
    else:
        if nul < 0:
            return text
        where, what = nul, "this is a binary file"
    before = lines_of(data[:where].decode("utf-8-sig", errors="replace"))
    hint = "a scenario file is YAML in UTF-8"
    raise ScenarioInvalid([Problem(file, len(before), len(before[-1]) + 1, what, hint=hint)])
