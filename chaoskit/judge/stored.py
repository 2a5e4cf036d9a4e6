"""A stored run as reports see it: its result, and the texts that its folder keeps beside it.

Only the result must be there: runs of earlier versions, and those that were killed, lack the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from chaoskit import files
from chaoskit.errors import ChaoskitError
from chaoskit.judge.result import Result, stored_result
from chaoskit.record.folder import COMPOSE, SCENARIO
from chaoskit.scenario import source

COMPOSE_HEAD = "--- # "  # before each of the Compose files, with its path
_NAME = re.compile(
    r"""(?P<indent>\ +)
    (?: "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<bare>[^\s\#'"][^:\#]*?) )
    \ *:(?:\ |$)""",
    re.VERBOSE,
)
_SHARED = re.compile(r"x-[^\s:]+:\s+&(\S+)")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that has its result, and its folder; None where only the result is there."""

    result: Result
    folder: Path | None

    @classmethod
    def read(cls, folder: Path) -> StoredRun:
        """Read a run. Raises `StoreFailed` when it has no result."""
        return cls(stored_result(folder), folder)

    def scenario_text(self) -> str:
        """Return the scenario file as it was run, secrets masked; empty where it is not there."""
        return self._text(SCENARIO)

    def compose_text(self) -> str:
        """Return the Compose files, secrets masked, each after a line with its path."""
        return self._text(COMPOSE)

    def check_lines(self) -> list[int | None]:
        """Return for each check of the result the line, from 1, where the scenario asks for it."""
        checks = len(self.result.checks)
        try:
            read = source.parsed(Path(SCENARIO), self.scenario_text(), {})
        except ChaoskitError:  # such as a mask that broke a line
            return [None] * checks
        places = [("expect", number) for number in range(checks)]
        return [read.span(place).line if read.node(place) else None for place in places]

    def _text(self, name: str) -> str:
        if self.folder is None:
            return ""
        try:
            return files.read_text(self.folder / name)
        except (OSError, UnicodeDecodeError):
            return ""


def service_blocks(text: str, wanted: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield where each of the `wanted` services stands in the text of Compose files, `FILE:LINE`,
    with its lines.

    It goes by indentation: the text may have masks in it, and tags of which only Compose knows.
    """
    file, first, number = "compose.yaml", 0, 0
    inside, depth, block = False, 0, list[str]()
    for line in [*text.splitlines(), COMPOSE_HEAD]:
        number += 1
        name = _NAME.match(line)
        outside = bool(line.strip()) and not line.startswith((" ", "#"))
        if inside and name is not None and depth == 0:
            depth = len(name["indent"])
        begins = inside and name is not None and len(name["indent"]) == depth
        if block and (begins or outside):
            yield f"{file}:{first}", _without_trailing(block)
            block = []
        if begins and name is not None:
            called = name["double"] or name["single"] or name["bare"] or ""
            if called in wanted:
                block, first = [line], number
        elif block:
            block.append(line)
        if outside:
            inside, depth = line.split("#")[0].strip() == "services:", 0
        if line.startswith(COMPOSE_HEAD):
            file, number = line.removeprefix(COMPOSE_HEAD), 0


def shared_blocks(text: str, names: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield where the `x-...` blocks with these anchors stand in the text of Compose files, with
    their lines: what services take in with `<<: *NAME`."""
    file, first, number, block = "compose.yaml", 0, 0, list[str]()
    for line in [*text.splitlines(), COMPOSE_HEAD]:
        number += 1
        if line[:1].strip() and block:
            yield f"{file}:{first}", _without_trailing(block)
            block = []
        anchor = _SHARED.match(line)
        if anchor is not None and anchor[1] in names:
            block, first = [line], number
        elif block:
            block.append(line)
        if line.startswith(COMPOSE_HEAD):
            file, number = line.removeprefix(COMPOSE_HEAD), 0


def _without_trailing(block: list[str]) -> list[str]:
    """Return a block without the blank lines and the comments at its end: those are of the next."""
    end = len(block)
    while end > 1 and (not block[end - 1].strip() or block[end - 1].lstrip().startswith("#")):
        end -= 1
    return block[:end]
