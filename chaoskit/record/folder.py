"""The folder of one run: files written as it happens, or atomically at the end, never a secret."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from chaoskit.errors import StoreFailed, UsageError
from chaoskit.record.lock import RunLock
from chaoskit.records import Json
from chaoskit.secrets import Redactor

PLAN, RESULT = "plan.json", "result.json"
_STAMP = "%Y%m%dT%H%M%SZ"


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
    """Yield the rows of a file of JSON lines, each with the number of its line."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith("\n"):
                return
            try:
                row = json.loads(line)
            except ValueError:  # torn by a kill; the next writer began a new line
                continue
            if isinstance(row, dict):
                yield number, row


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
        """Make a new folder named by UTC time, scenario and `token`, owned by this process;
        `latest` points to it.

        Raises `StoreFailed` when it cannot be made.
        """
        path = runs / f"{started_at.strftime(_STAMP)}-{scenario}-{token}"
        try:
            (path / "logs").mkdir(parents=True)
            lock = RunLock.make(path)
            (runs / ".gitignore").write_text("*\n")
            link = runs / f".latest-{token}"
            link.symlink_to(path.name)
            link.replace(runs / "latest")
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
        temporary = target.with_name(f".{target.name}.part")
        try:
            shown = self._without_secrets(name, text) if masked else text
            temporary.write_text(shown, encoding="utf-8", errors="backslashreplace")
            temporary.replace(target)
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


def started_at(run_id: str) -> datetime:
    """Return when a run started, to the second, from the name of its folder; the epoch where the
    name is not one of ours."""
    try:
        return datetime.strptime(run_id.partition("-")[0], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def find_run(runs: Path, name: str) -> Path:
    """Return the folder of a run: by its path, its id, the start of its id, or `latest`.

    Raises `UsageError` when there is none, or several.
    """
    for path in (Path(name), runs / name):
        if path.is_dir() and ((path / "scenario.yaml").exists() or (path / "lock").exists()):
            return path.resolve()
    known = sorted(
        path.parent for path in runs.glob("*/scenario.yaml") if path.parent.name != "latest"
    )
    found = [path for path in known if path.name.startswith(name) or path.name.endswith(f"-{name}")]
    if len(found) == 1:
        return found[0].resolve()
    if found:
        raise UsageError(f"`{name}` is not one run but {len(found)}: {found[0].name}, ...")
    newest = f"the newest is `{known[-1].name}`" if known else f"there is none in `{runs}`"
    raise UsageError(f"no run `{name}`", hint=newest)
