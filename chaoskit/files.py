"""Files that somebody else may have made: only regular ones are read, never more than fits, and
nothing is written through a symbolic link."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST = 64 * 1024**2  # bytes of a document that is read as a whole
_LONGEST = 16 * 1024**2  # bytes of one line


def opened(path: Path) -> BinaryIO:
    """Open a regular file for reading, through links too. Raises `OSError`.

    A device or a pipe is not even opened: that alone can do something, or wait for ever.
    """
    _refuse_special(path.stat().st_mode, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse_special(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _refuse_special(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """Return what a regular file of at most `most` bytes holds. Raises `OSError`."""
    with opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"Larger than {most // 1024**2} MiB", str(path))
    return data


def read_text(path: Path, most: int = LARGEST) -> str:
    """Return the text of a regular file. Raises `OSError`, `UnicodeDecodeError`."""
    return read_bytes(path, most).decode("utf-8")


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a regular file with their ends, which the last one may lack.

    Raises `OSError`, also for a line that nobody would have written.
    """
    with opened(path) as file:
        number = 0
        while line := file.readline(_LONGEST + 1):
            number += 1
            if len(line) > _LONGEST:
                text = f"Line {number} is longer than {_LONGEST // 1024**2} MiB"
                raise OSError(errno.EFBIG, text, str(path))
            yield line


def write_whole(path: Path, text: str) -> None:
    """Write a whole file at once: readers see the old one or the new one, never a part.

    Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    # What has that name already, a link for example, is not ours.
    file = temporary.open("x", encoding="utf-8", errors="backslashreplace")
    try:
        with file:
            file.write(text)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_link(path: Path) -> None:
    """Raise `OSError` where a path leads through a symbolic link that the working directory holds:
    what comes with a checkout does not say where files are written.

    A link outside of it, such as `/tmp` on some systems, was put there by whoever owns the machine.
    """
    here = Path.cwd()
    parts = path.parts
    if path.is_absolute():
        if not path.is_relative_to(here):
            return
        parts = path.relative_to(here).parts
    for part in parts:
        here /= part
        if here.is_symlink():
            raise OSError(errno.ELOOP, f"`{here}` is a symbolic link", str(here))
