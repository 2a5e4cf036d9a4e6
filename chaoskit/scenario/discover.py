"""Which scenario files the paths of a command line stand for."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from yaml import YAMLError

from chaoskit.errors import NothingSelected, Problem, UsageError
from chaoskit.files import opened
from chaoskit.scenario.composer import events_of, lines_of
from chaoskit.scenario.source import LARGEST, no_such_path, problem_at
from chaoskit.scenario.yaml_errors import explained

_SUFFIXES = (".yaml", ".yml")
IGNORE = ".chaoskit-ignore"  # a file that keeps its folder out of what lies above it
_OLD_IGNORE = ".chaoskit-apart"  # its name before
_TOP_KEY = re.compile(r"^[\"']?([A-Za-z_][\w.-]*)[\"']?[ \t]*:(?:\s|$)", re.MULTILINE)
_TOP_LIST = re.compile(r"^- ", re.MULTILINE)
_SCENARIO_KEYS = frozenset({"stack", "probes", "workloads", "timeline", "expect"})


def find(paths: Sequence[Path]) -> list[Path]:
    """Return scenario files: those named, those in named directories, and those that fit a
    pattern such as `scenarios/**/redis-*.yaml`, each once.

    Below a directory every `*.yaml` and `*.yml` counts, except in hidden folders, unless it is
    plainly something else, such as a Compose file: a broken scenario must not go unnoticed. A
    folder that holds a file `.chaoskit-ignore` counts only where it is named itself: its scenarios
    are not meant to pass with the others.
    Raises `UsageError` for a path that does not exist or a file of an older name, `NothingSelected`
    when a directory holds no scenario.
    """
    found: dict[Path, Path] = {}
    for path in [one for named in paths for one in _expanded(named)]:
        if path.is_dir():
            below = _below(path)
            if not below:
                raise NothingSelected(
                    f"no scenario in `{path}`",
                    hint="a scenario is a .yaml file with `stack`, `probes`, `timeline`, `expect`",
                )
        elif path.exists():
            below = [path]
        else:
            raise no_such_path(path)
        for file in below:
            found.setdefault(file.resolve(), file)
    if not found:
        raise NothingSelected("no scenario was named")
    return list(found.values())


def left_out(paths: Sequence[Path]) -> list[Problem]:
    """Return a warning for each file below a named directory that is no YAML, and does not look
    like a scenario either: it may be one that is broken. Raises `UsageError` as `find` does."""
    folders = [path for named in paths for path in _expanded(named) if path.is_dir()]
    files = dict.fromkeys(file for folder in folders for file in _yaml_below(folder))
    return [
        broken
        for file in files
        if not may_be_a_scenario(file) and (broken := _broken(file)) is not None
    ]


def _broken(file: Path) -> Problem | None:
    text = _start_of(file) or ""
    try:
        if len(text) < LARGEST:  # what is cut off there says nothing
            for _ in events_of(text):
                pass
    except YAMLError as error:
        lines = tuple(lines_of(text))
        span, message, _ = explained(error, lines)
        said = f"left out, it is no YAML and has no key of a scenario: {message}"
        hint = "mend it, or keep its folder out with a file `.chaoskit-ignore`"
        return replace(problem_at(str(file), lines, span, said, hint), code="no-yaml")
    return None


def _expanded(path: Path) -> list[Path]:
    """Return what fits a pattern that the shell left as it was; any other path as it is.

    Raises `UsageError` when nothing fits: a slip of the hand.
    """
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    found = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207  # no hidden ones
    files = [one for one in found if one.is_dir() or one.suffix in _SUFFIXES]
    if not files:
        raise UsageError(
            f"no file or folder fits `{path}`", hint="`**/` stands for any folders below"
        )
    return files


def _below(folder: Path) -> list[Path]:
    return [file for file in _yaml_below(folder) if may_be_a_scenario(file)]


def _yaml_below(folder: Path) -> list[Path]:
    files = list(folder.rglob("*"))
    old = next((file for file in files if file.name == _OLD_IGNORE), None)
    if old is not None:
        raise UsageError(
            f"`{old}` has no effect any more", hint=f"rename it to `{old.with_name(IGNORE)}`"
        )
    ignored = {file.parent for file in files if file.name == IGNORE} - {folder}
    return sorted(
        file
        for file in files
        if file.suffix in _SUFFIXES
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and ignored.isdisjoint(file.parents)
        and file.is_file()
    )


def may_be_a_scenario(file: Path) -> bool:
    """Return whether a file is not plainly something else, such as a Compose file."""
    text = _start_of(file)
    if text is None:
        return True  # loading it says why
    keys = set(_TOP_KEY.findall(text))
    if keys:
        return bool(keys & _SCENARIO_KEYS)
    return _TOP_LIST.search(text) is None


def _start_of(file: Path) -> str | None:
    try:
        with opened(file) as stream:
            return stream.read(LARGEST).decode("utf-8-sig", errors="replace")
    except OSError:
        return None
