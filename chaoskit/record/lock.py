"""Who owns a run: the process that runs it, its guard, or one that recovers it.

The lock file is there from the start of a run until nothing of it must be undone any more; the
kernel gives the lock itself back when its owner dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from chaoskit.errors import StoreFailed

LOCK = "lock"
_POLL = 0.01
_LOOKING = 0.05  # seconds: `live_owner` in another process holds it for less than that


class RunLock:
    """The one owner of a run folder, as long as this object, or its process, lives."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def make(cls, folder: Path) -> RunLock:
        """Take the lock of a folder that was just made. Raises `StoreFailed`."""
        (folder / LOCK).touch()
        lock = cls.take(folder)
        if lock is None:
            raise StoreFailed(f"`{folder}` belongs to another process")
        return lock

    @classmethod
    def take(cls, folder: Path, *, within: float = 0.0) -> RunLock | None:
        """Take over an unfinished run; None when it is finished, or has a live owner for `within`
        seconds more."""
        ends = time.monotonic() + max(within, _LOOKING)
        path = folder / LOCK
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR)
            except OSError:
                return None
            if _locked(descriptor) and _same(descriptor, path):
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                return cls(path, descriptor)
            os.close(descriptor)
            if time.monotonic() >= ends:
                return None
            time.sleep(_POLL)

    def release(self, *, finished: bool) -> None:
        """Give it back; with `finished` there is nothing left for anybody to undo."""
        if finished:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _same(descriptor: int, path: Path) -> bool:
    """Return whether the file is still the one behind its name: its last owner may have removed
    it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def live_owner(folder: Path) -> int | None:
    """Return the id of the process that owns a run now, None when nobody does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return None
    try:
        if _locked(descriptor):
            return None
        text = os.pread(descriptor, 20, 0).decode(errors="replace")
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)


def unfinished(runs: Path) -> list[Path]:
    """Return the folders of runs that did not end properly or still go on, oldest first."""
    with contextlib.suppress(OSError):
        found = [path.parent for path in runs.glob(f"*/{LOCK}")]
        return sorted(folder.resolve() for folder in found if not folder.is_symlink())
    return []
