"""Where an option writes: looked at before anything starts, and never over what is not ours.

A file that is there is written over only where it is plainly an earlier one of the same kind; so no
slip of the hand costs a scenario, and no record of a run.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import TextIO

from chaoskit.errors import UsageError
from chaoskit.files import opened, refuse_link
from chaoskit.record.events import EVENTS
from chaoskit.record.folder import RESULT, SCENARIO

STDOUT = Path("-")
_NULL = Path(os.devnull)
# What this process was started with, by the names that shells give it.
_DESCRIPTOR = re.compile(r"/dev/std(?P<name>out|err)|/(?:dev|proc/self)/fd/(?P<number>\d{1,9})")
_HEAD = 64 * 1024  # bytes in which a kind of file is recognized

_PAGE = rb"\s*<!doctype html>.*? - chaoskit</title>"
_RESULT = rb'\{\s*"schema_version": \d+,\s*"run": \{'
_OURS = {
    "html": _PAGE,
    ".html": _PAGE,
    ".css": rb"\.uplot, \.uplot \*",
    ".js": rb"/\*\nThe MIT License .*?uPlot",
    "json": rb"%s|\[\s*(\]|%s)" % (_RESULT, _RESULT),
    "junit": rb'<\?xml [^>]*>\s*<testsuites( />|>\s*<testsuite name="[^"]*" package="chaoskit")',
    "summary": rb"# chaoskit: \d+ PASS, .* of \d+ scenarios\n|## [A-Z ]+: .*\n\n\*\*",
    "prompt": rb"chaoskit ran (a chaos|no) scenario",
    "metrics": rb"# TYPE chaoskit_\w+ gauge\n|# EOF\n",
    "annotations": rb'\{\s*"chaoskit": \[',
    "trace": rb'\{"displayTimeUnit":"ms","otherData":\{"run":',
    "events": rb'\{"t":[^,]+,"event":"',
}


def destination(text: str, kind: str, what: str) -> Path:
    """Return where to write something of a kind, `-` for our own stdout.

    `what` begins the object of "cannot write ...". The folder of the file is there afterwards.
    Raises `UsageError` where it cannot be written, or will not be: through a link that came with a
    checkout, or over a file that is not ours.
    """
    path = Path(text)
    number = _descriptor(path)
    if number == 1 or path == STDOUT:
        return STDOUT
    try:
        if number is not None:
            _refuse_unwritable(number)
        elif path != _NULL:
            refuse_others(path, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            was_there = path.exists()
            path.open("ab").close()
            if not was_there:
                path.unlink()
    except OSError as error:
        raise cannot_write(what, path, error) from error
    return path


def is_stream(path: Path) -> bool:
    """Return whether there is no file, and so no others beside it: stdout, a pipe, /dev/null."""
    return path in (STDOUT, _NULL) or _descriptor(path) is not None


def open_to_write(path: Path, kind: str) -> TextIO:
    """Open what `destination` returned, other than stdout; a file is empty then.

    Raises `OSError`.
    """
    number = _descriptor(path)
    if number is not None:
        return os.fdopen(os.dup(number), "w", encoding="utf-8", errors="backslashreplace")
    if path != _NULL:
        refuse_others(path, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8", errors="backslashreplace")


def refuse_others(path: Path, kind: str) -> None:
    """Raise `OSError` for a link of the checkout, for what is no regular file, which is not even
    opened, and for a file that is neither empty nor of this kind of ours."""
    refuse_link(path)
    try:
        with opened(path) as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        if path.is_symlink():
            raise FileExistsError(0, "it is a link to a file that is not there") from None
        return
    if path.name in (RESULT, EVENTS) and (path.parent / SCENARIO).exists():
        raise FileExistsError(0, "it is the record of a run")
    if head and not re.match(_OURS[kind], head, re.DOTALL):
        raise FileExistsError(0, "it is there, and no earlier one of chaoskit's")


def cannot_write(what: str, path: Path, error: OSError) -> UsageError:
    """Return the error for a destination that cannot be written."""
    hint = "name another file, or remove it" if isinstance(error, FileExistsError) else None
    return UsageError(f"cannot write {what} `{path}`: {error.strerror}", hint=hint)


def _descriptor(path: Path) -> int | None:
    found = _DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    return int(found["number"]) if found["number"] else {"out": 1, "err": 2}[found["name"]]


def _refuse_unwritable(number: int) -> None:
    if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise PermissionError(0, "It is open for reading only")
