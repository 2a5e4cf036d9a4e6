"""The logs of the stack's services in a run folder: written as they come, read line by line.

Each line starts with the engine's RFC 3339 time. They may be large, so nothing here ever holds a
whole one in memory.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from chaoskit.clock import parse_stamp
from chaoskit.errors import StoreFailed
from chaoskit.files import opened
from chaoskit.record.folder import RunFolder
from chaoskit.records import Log, LogLine
from chaoskit.secrets import Redactor

LOGS = "logs"
LIMIT = 64 * 1024**2  # bytes of one service
_STAMP = 26  # characters of a time, to the microsecond
_END = 4096


class LogWriter:
    """One service's log file, which several threads may append to; never a secret, never more than
    `limit` bytes."""

    def __init__(self, path: Path, redactor: Redactor, limit: int = LIMIT) -> None:
        """Raises `StoreFailed` when it cannot be written."""
        self.full = False
        self._path = path
        self._redactor = redactor
        self._limit = limit
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._left = limit - path.stat().st_size
        except OSError as error:
            raise StoreFailed(f"cannot write `{path}`: {error.strerror}") from error

    @classmethod
    def of(cls, folder: RunFolder, service: str) -> LogWriter:
        return cls(folder.path / LOGS / f"{service}.log", folder.redactor)

    def write(self, stamp: str, text: str) -> bool:
        """Append one line; False when there is no room for it, nor for any after it.

        Raises `StoreFailed` when the disk refuses it.
        """
        line = f"{stamp} {self._redactor.clean(text)}\n".encode(errors="backslashreplace")
        with self._lock:
            if self.full:
                return False
            if len(line) > self._left:
                self.full = True
                said = f"chaoskit: cut here, at {self._limit >> 20} MiB; the rest is not kept"
                line = f"{stamp} {said}\n".encode()
            self._left -= len(line)
            try:
                self._file.write(line)
            except OSError as error:
                raise StoreFailed(f"cannot write `{self._path}`: {error.strerror}") from error
        return not self.full

    def last_stamp(self) -> str:
        """Return the time of the last line, empty where there is none."""
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _END))
            lines = [line for line in file.read().split(b"\n") if line]
        stamp = lines[-1].partition(b" ")[0].decode(errors="replace") if lines else ""
        return stamp if parse_stamp(stamp) else ""

    def close(self) -> None:
        self._file.close()


class LogFile(Log):
    """A service's log, read from its file each time somebody asks."""

    def __init__(self, path: Path, started_at: datetime) -> None:
        super().__init__()
        self._path = path
        self._started_at = started_at

    def between(self, start: float, end: float) -> Iterator[LogLine]:
        first, last = self._stamp(start), self._stamp(end)
        raw = opened(self._path)
        with io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline="\n") as file:
            for line in file:
                stamp, _, text = line.partition(" ")
                if not first <= stamp[:_STAMP] <= last:
                    continue
                when = parse_stamp(stamp)
                if when is not None:
                    t = (when - self._started_at).total_seconds()
                    yield LogLine(t, self._path.stem, text.rstrip("\r\n"))

    def _stamp(self, t: float) -> str:
        """Return a moment of the run clock as its time is written, to compare before parsing."""
        try:
            moment = self._started_at + timedelta(seconds=t)
        except OverflowError:
            return "" if t < 0 else "~"
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def log_files(folder: Path, started_at: datetime | None) -> dict[str, Log]:
    """Return the logs of a run by service; helpers, which have none, wrote `.log` once."""
    if started_at is None or not (folder / LOGS).is_dir():
        return {}
    paths = sorted((folder / LOGS).glob("*.log"))
    for path in paths:
        if not path.is_file():
            raise StoreFailed(f"`{path}` is no log: not a regular file")
    return {p.stem: LogFile(p, started_at) for p in paths if not p.name.startswith(".")}
