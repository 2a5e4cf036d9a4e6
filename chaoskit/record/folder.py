"""The folder of one run: files written as it happens, or atomically at the end, never a secret."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from chaoskit import files
from chaoskit.errors import StoreFailed, UsageError
from chaoskit.numeric import MOST_DIGITS, read_json
from chaoskit.record.lock import RunLock
from chaoskit.records import Json
from chaoskit.secrets import Redactor
from chaoskit.text import shown

SCENARIO, PLAN, RESULT = "scenario.yaml", "plan.json", "result.json"
PAST = "past.json"  # the scenario's last runs up to this one
COMPOSE = "compose.yaml"  # the Compose files as they were read, secrets masked
LATEST = "latest"  # the link to the newest run
_STAMP = "%Y%m%dT%H%M%SZ"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[^/]+")


class NdjsonFile:
    """A file of JSON lines, appended and flushed line by line."""

    def __init__(self, path: Path, redactor: Redactor, *, durable: bool = False) -> None:
        """`durable` syncs every line to disk before `append` returns: for the ledger."""
        self._redactor = redactor
        self._durable = durable
        self._path = path
        try:
            # A lone surrogate from somebody's JSON becomes its JSON escape again.
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace")
            if _torn(path):  # whoever wrote before was killed in the middle of a line
                self._file.write("\n")
        except OSError as error:
            raise StoreFailed(f"cannot write `{path}`: {error.strerror}") from error

    def append(self, row: Mapping[str, Json]) -> None:
        """Write one line. Raises `StoreFailed` when the disk refuses it."""
        line = _line(row)
        if self._redactor.clean(line) != line:  # rare, so that the careful way may be slow
            line = _line(cast("Mapping[str, Json]", self._redactor.clean_json(row)))
        try:
            self._file.write(line + "\n")
            self._file.flush()
            if self._durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreFailed(f"cannot write `{self._path}`: {error.strerror}") from error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


def _line(row: Mapping[str, Json]) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


def _torn(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def read_ndjson(path: Path) -> Iterator[Mapping[str, Json]]:
    """Yield the rows of a file of JSON lines; a torn line is left out, a missing file is empty."""
    return (row for _, row in numbered_rows(path))


def numbered_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield the rows of a file of JSON lines, each with the number of its line.

    Raises `StoreFailed` for a file that cannot be read, or a line that nobody wrote so.
    """
    try:
        for number, line in enumerate(files.lines(path), 1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line.decode(errors="replace"))
                line.decode()
            except UnicodeDecodeError:
                raise StoreFailed(f"`{path}` line {number} is not UTF-8") from None
            except RecursionError:
                raise StoreFailed(f"`{path}` line {number} is nested too deeply") from None
            except json.JSONDecodeError:  # torn by a kill; the next writer began a new line
                continue
            except ValueError:
                text = f"has a whole number of more than {MOST_DIGITS} digits"
                raise StoreFailed(f"`{path}` line {number} {text}") from None
            if isinstance(row, dict):
                yield number, row
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}") from error


def number_in(row: Mapping[str, Json], name: str) -> float:
    """Return a number of a row. Raises `ValueError` for anything else, also for an endless one."""
    value = row.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            if math.isfinite(value):
                return float(value)
    raise ValueError(f"`{name}` is {shown(value)}, not a number")


def reason_of(error: Exception) -> str:
    """Return in words what is wrong with stored data: which field of it, and why."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}"
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    return str(error)


def read_document(path: Path) -> Any:
    """Return a stored JSON document. Raises `StoreFailed`, with the line that is wrong, and
    `FileNotFoundError`."""
    try:
        data = files.read_bytes(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreFailed(f"cannot read `{path}`: {error.strerror}") from error
    try:
        return read_json(data.decode())
    except UnicodeDecodeError as error:
        line, what = data.count(b"\n", 0, error.start) + 1, "it is not UTF-8"
    except json.JSONDecodeError as error:
        line, what = error.lineno, error.msg
    raise StoreFailed(f"`{path}` line {line}: {what}") from None


class RunFolder:
    """One run's folder under the runs directory."""

    def __init__(self, path: Path, redactor: Redactor, lock: RunLock | None) -> None:
        self.path = path
        self.redactor = redactor
        self.lock = lock

    @classmethod
    def create(
        cls, runs: Path, scenario: str, started_at: datetime, redactor: Redactor, token: str
    ) -> RunFolder:
        """Make a new folder named by UTC time, scenario and `token`, owned by this process and
        open to this user only; `latest` points to it. What else is in `runs` stays as it is.

        Raises `StoreFailed` when it cannot be made.
        """
        path = runs / f"{started_at.strftime(_STAMP)}-{scenario}-{token}"
        try:
            files.refuse_link(runs)
            runs.mkdir(parents=True, exist_ok=True)
            if not any(runs.iterdir()):  # else it may be a place where the user has files
                _make_gitignore(runs)
            path.mkdir(mode=0o700)
            if path.stat().st_mode & 0o077:
                raise OSError(errno.EPERM, "Its file system keeps no folder private")
            (path / "logs").mkdir()
            lock = RunLock.make(path)
            _point_latest(runs, path.name, token)
        except OSError as error:
            raise StoreFailed(
                f"cannot make a run folder in `{runs}`: {error.strerror}",
                hint="name another place with --runs-dir",
            ) from error
        return cls(path, redactor, lock)

    @property
    def id(self) -> str:
        return self.path.name

    def ndjson(self, name: str, *, durable: bool = False) -> NdjsonFile:
        return NdjsonFile(self.path / name, self.redactor, durable=durable)

    def write(self, name: str, text: str, *, masked: bool = True) -> Path:
        """Write a whole file at once: readers see the old one or the new one, never a part.

        `masked=False` is for text of our own that another program reads.
        """
        target = self.path / name
        try:
            shown = self._without_secrets(name, text) if masked else text
            files.write_whole(target, shown)
        except OSError as error:
            raise StoreFailed(f"cannot write `{target}`: {error.strerror}") from error
        return target

    def _without_secrets(self, name: str, text: str) -> str:
        cleaned = self.redactor.clean(text)
        if cleaned == text or not name.endswith(".json"):
            return cleaned
        document = self.redactor.clean_json(json.loads(text))
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def write_json(self, name: str, document: Mapping[str, Json]) -> Path:
        return self.write(name, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _make_gitignore(runs: Path) -> None:
    with contextlib.suppress(FileExistsError):  # another run was quicker
        descriptor = os.open(runs / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w") as file:
            file.write("*\n")


def _point_latest(runs: Path, name: str, token: str) -> None:
    """Let `latest` point to a run, unless something of that name is there that is not ours."""
    latest = runs / LATEST
    if os.path.lexists(latest) and not _is_ours(latest):
        return
    link = runs / f".{LATEST}-{token}"
    link.symlink_to(name)
    link.replace(latest)


def _is_ours(latest: Path) -> bool:
    return latest.is_symlink() and _RUN_ID.fullmatch(str(latest.readlink())) is not None


def started_at(run_id: str) -> datetime:
    """Return when a run started, to the second, from the name of its folder; the epoch where the
    name is not one of ours."""
    try:
        return datetime.strptime(run_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def known_runs(runs: Path) -> list[Path]:
    """Return the folders of all runs that have their scenario, oldest first."""
    return sorted(path.parent for path in runs.glob(f"*/{SCENARIO}") if path.parent.name != LATEST)


def find_run(runs: Path, name: str) -> Path:
    """Return the folder of a run: by its path, its id, the start of its id, or `latest`.

    Raises `UsageError` when there is none, or several.
    """
    for path in (Path(name), runs / name):
        with contextlib.suppress(OSError):  # such as a name that is too long
            if path.is_dir() and ((path / SCENARIO).exists() or (path / "lock").exists()):
                return path.resolve()
    known = known_runs(runs)
    if name == LATEST and known:  # where something else has that name
        return known[-1].resolve()
    found = [path for path in known if path.name.startswith(name) or path.name.endswith(f"-{name}")]
    if len(found) == 1:
        return found[0].resolve()
    if found:
        raise UsageError(f"`{name}` is not one run but {len(found)}: {found[0].name}, ...")
    if name == LATEST:
        raise UsageError(f"there is no run in `{runs}`", hint="name its folder with --runs-dir")
    newest = f"the newest is `{known[-1].name}`" if known else f"there is none in `{runs}`"
    raise UsageError(f"no run `{name}`", hint=newest)
