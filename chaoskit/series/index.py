"""The index of a runs directory: one SQLite row for each run that has a result.

It holds nothing that the run folders do not: a row is read again when its `result.json` changes,
and a file that is lost or damaged is made again from the folders. So nothing here can lose a run,
and whoever adds a folder by hand finds it listed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC
from pathlib import Path
from typing import Any, Self

from chaoskit import files
from chaoskit.errors import ChaoskitError
from chaoskit.record.folder import RESULT, SCENARIO, known_runs

FILE = "index.sqlite"
_WAITS = 5.0  # seconds for another writer
_MIGRATIONS = (  # each brings the file from the version that is its place to the next
    """
    CREATE TABLE runs (
        run TEXT PRIMARY KEY, scenario TEXT NOT NULL, digest TEXT NOT NULL, verdict TEXT NOT NULL,
        exit_code INTEGER NOT NULL, started TEXT NOT NULL, seconds REAL NOT NULL,
        seed INTEGER NOT NULL, checks INTEGER NOT NULL, failed INTEGER NOT NULL,
        reason TEXT NOT NULL, recovery TEXT NOT NULL, figures TEXT NOT NULL,
        stamp TEXT NOT NULL
    );
    CREATE INDEX runs_of_scenario ON runs (scenario, started);
    """,
    "DELETE FROM runs; ALTER TABLE runs RENAME COLUMN failed TO passed;",  # read anew from folders
)


@dataclass(frozen=True, slots=True)
class Row:
    """One run: `started` in ISO 8601 and UTC, `seconds` how long it took. `recovery` has the
    seconds that each `recovery` check measured, `figures` those that two series are compared by.
    `digest` is that of the scenario's text."""

    run: str
    scenario: str
    digest: str
    verdict: str
    exit_code: int
    started: str
    seconds: float
    seed: int
    checks: int
    passed: int
    reason: str
    recovery: Mapping[str, float]
    figures: Mapping[str, float]

    def measured(self) -> dict[str, float]:
        """Return all that is worth a trend, in seconds by name."""
        return {**self.recovery, **self.figures}


_COLUMNS = ", ".join(field.name for field in fields(Row))
_TYPES = (str, str, str, str, int, str, float, int, int, int, str)  # before the two mappings
_NOT_DAMAGED = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
)


class Index:
    """The runs of a directory; opened for one command and closed after it."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._path = runs / FILE
        try:
            self._connection = _connected(self._path)
        except sqlite3.Error as error:
            self._connection = self._made_anew(error)

    @classmethod
    @contextlib.contextmanager
    def of(cls, runs: Path) -> Iterator[Self]:
        """Open the index of a runs directory, after bringing it up to date with the folders."""
        index = cls(runs)
        try:
            try:
                index.update()
            except sqlite3.Error as error:
                index._replace(error)
            yield index
        finally:
            index._connection.close()

    def _replace(self, error: sqlite3.Error) -> None:
        """Go on with a new index after an error of the old one."""
        self._connection.close()
        self._connection = self._made_anew(error)
        self.update()

    def _made_anew(self, error: sqlite3.Error) -> sqlite3.Connection:
        """Return the connection to a new file in place of a damaged one. It is to memory where the
        file is not damaged but cannot be used here and now: read-only, busy, a newer version's."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code not in _NOT_DAMAGED and not isinstance(error, sqlite3.NotSupportedError):
            with contextlib.suppress(OSError, sqlite3.Error):
                for ending in ("", "-wal", "-shm"):
                    self._path.with_name(FILE + ending).unlink(missing_ok=True)
                return _connected(self._path)
        return _connected(None)

    def update(self) -> None:
        """Read the results that are new or have changed, and forget the runs that are gone."""
        there = {path.name: _stamp(path) for path in known_runs(self._runs)}
        known = dict(self._connection.execute("SELECT run, stamp FROM runs"))
        changed = [run for run, stamp in there.items() if stamp and known.get(run) != stamp]
        gone = [run for run in known if not there.get(run)]
        if not changed and not gone:
            return
        rows = [(row, there[run]) for run in changed if (row := _read(self._runs / run))]
        marks = ", ".join("?" * (len(fields(Row)) + 1))
        forgotten = {*gone, *changed} - {row.run for row, _ in rows}
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            self._connection.executemany(
                "DELETE FROM runs WHERE run = ?", [(run,) for run in forgotten]
            )
            self._connection.executemany(
                f"INSERT OR REPLACE INTO runs ({_COLUMNS}, stamp) VALUES ({marks})",  # noqa: S608  # ours
                [(*_values(row), stamp) for row, stamp in rows],
            )

    def rows(self, scenario: str | None = None) -> list[Row]:
        """Return the runs, oldest first; of one scenario, by its name, if that is given."""
        try:
            return self._rows(scenario)
        except sqlite3.Error as error:  # damaged in a place that only reading finds
            self._replace(error)
            return self._rows(scenario)

    def _rows(self, scenario: str | None) -> list[Row]:
        where = "" if scenario is None else "WHERE scenario = ?"
        query = f"SELECT {_COLUMNS} FROM runs {where} ORDER BY started, run"  # noqa: S608  # names of ours
        parameters = () if scenario is None else (scenario,)
        return [_row(values) for values in self._connection.execute(query, parameters)]


def digest_of(folder: Path) -> str:
    """Return the digest of the scenario's text. Raises `OSError`."""
    return hashlib.sha256(files.read_bytes(folder / SCENARIO)).hexdigest()


def _read(folder: Path) -> Row | None:
    """Return the row of a run; None where it cannot be read, which its own report says."""
    from chaoskit.judge.result import stored_result  # heavy, and seldom needed
    from chaoskit.series.compare import figures_of

    try:
        result = stored_result(folder)
        digest = digest_of(folder)
    except (ChaoskitError, OSError):
        return None
    verdicts = [check.verdict.value for check in result.checks]
    recovery = {
        f"{check.check} {check.subject}": check.measured.value
        for check in result.checks
        if check.check == "recovery" and check.measured.unit == "s"
    }
    return Row(
        folder.name,
        result.run.scenario,
        digest,
        result.verdict.value,
        result.exit_code,
        result.run.started_at.astimezone(UTC).isoformat(),
        result.run.duration,
        result.run.seed,
        len(verdicts),
        verdicts.count("pass") + verdicts.count("expected_fail"),
        result.reason or "",
        {name: value for name, value in recovery.items() if value is not None},
        figures_of(result),
    )


def _stamp(folder: Path) -> str:
    """Return what changes when the result of a run does; empty where it has none."""
    try:
        status = (folder / RESULT).stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns} {status.st_size}"


def _values(row: Row) -> tuple[object, ...]:
    return tuple(
        json.dumps(value) if isinstance(value, Mapping) else value for value in astuple(row)
    )


def _row(values: Sequence[object]) -> Row:
    """Return a row as the table has it. Raises `sqlite3.DatabaseError` for what is none."""
    *plain, recovery, figures = values
    if not all(map(isinstance, plain, _TYPES)):
        raise sqlite3.DatabaseError("a row of the index has other types")
    seconds = (_seconds_in(recovery), _seconds_in(figures))
    checked: tuple[Any, ...] = (*plain, *seconds)
    return Row(*checked)


def _seconds_in(text: object) -> dict[str, float]:
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(type(v) in (int, float) for v in found.values()):
        raise sqlite3.DatabaseError("a row of the index has no seconds where they should be")
    return found


def _connected(path: Path | None) -> sqlite3.Connection:
    """Connect, to memory without a path, and bring the tables to this version.

    Raises `sqlite3.Error`, also for a link in place of the file.
    """
    if path is not None:
        try:
            files.refuse_link(path)
            path.touch(0o600)  # like the run folders: to this user only
        except OSError as error:
            raise sqlite3.NotSupportedError(str(error)) from error
    connection = sqlite3.connect(":memory:" if path is None else path, timeout=_WAITS)
    connection.isolation_level = None  # transactions are begun here
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # the file may come with a checkout
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)  # again: another process may have been quicker
    if version > len(_MIGRATIONS):
        raise sqlite3.NotSupportedError("a newer version of chaoskit wrote this index")
    for number in range(version, len(_MIGRATIONS)):
        for statement in _MIGRATIONS[number].split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
