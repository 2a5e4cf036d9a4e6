"""`chaoskit runs`: what was run here, and removing what is old."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaoskit.cli.output import say, tell
from chaoskit.errors import ChaoskitError, ExitCode, NothingSelected, StoreFailed, UsageError
from chaoskit.files import refuse_link
from chaoskit.record.folder import known_runs, started_at
from chaoskit.record.lock import LOCK, live_owner
from chaoskit.series.baselines import baselines
from chaoskit.series.index import Index, Row
from chaoskit.text import one_line, seconds_text

RUNNING, UNFINISHED = "running", "unfinished"  # besides the verdicts
VERDICTS = ("pass", "fail", "unknown", RUNNING, UNFINISHED)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,5})([mhdw])")
_REMOVING = ".removing-"  # before the name of a folder that is on its way out


@dataclass(frozen=True, slots=True)
class RunsRequest:
    """What the command line asks for; None is no filter."""

    runs_dir: Path
    scenario: str | None = None
    verdict: str | None = None
    since: str | None = None
    limit: int | None = None
    json: bool = False
    csv: bool = False


def list_runs(request: RunsRequest, now: datetime | None = None) -> ExitCode:
    """Print the runs that are asked for, the oldest first. Raises `UsageError`, also where there is
    no such directory, and `NothingSelected` when there is no such run."""
    if request.json and request.csv:
        raise UsageError("`--json` and `--csv` both want stdout", hint="leave one of them out")
    if request.verdict is not None and request.verdict not in VERDICTS:
        hint = f"it is one of {', '.join(VERDICTS)}"
        raise UsageError(f"`{request.verdict}` is no verdict", hint=hint)
    since = None if request.since is None else moment(request.since, now or datetime.now(UTC))
    rows = [
        row
        for row in every_run(request.runs_dir)
        if request.scenario in (None, row.scenario)
        and request.verdict in (None, row.verdict)
        and (since is None or datetime.fromisoformat(row.started) >= since)
    ]
    if not rows:
        raise NothingSelected(
            f"there is no such run in `{request.runs_dir}`", hint="name its folder with --runs-dir"
        )
    rows = rows[-request.limit :] if request.limit else rows
    if request.json:
        say(json.dumps([asdict(row) for row in rows], indent=2))
    elif request.csv:
        say(_as_csv(rows).rstrip("\n"))
    else:
        say("\n".join(_as_table(rows)))
    return ExitCode.PASSED


def every_run(runs: Path) -> list[Row]:
    """Return the runs of a directory, also those without a result; the oldest first."""
    with Index.of(runs) as index:
        rows = index.rows()
    known = {row.run for row in rows}
    unfinished = [path for path in known_runs(runs) if path.name not in known]
    if not unfinished:
        return rows
    return sorted(
        [*rows, *map(_without_result, unfinished)], key=lambda row: (row.started, row.run)
    )


def _without_result(folder: Path) -> Row:
    state = UNFINISHED if live_owner(folder) is None else RUNNING
    name = folder.name.split("-", 1)[-1].rpartition("-")[0]
    return Row(
        folder.name,
        name,
        "",
        state,
        0,
        started_at(folder.name).isoformat(),
        0.0,
        0,
        0,
        0,
        "",
        {},
        {},
    )


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that `7d`, `12h` or a date means. Raises `UsageError`."""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        then = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(
            f"`{text}` is no moment", hint="write 30m, 12h, 7d, 2w, or a date such as 2026-11-26"
        ) from None
    return then if then.tzinfo is not None else then.replace(tzinfo=UTC)


def _as_table(rows: Sequence[Row]) -> Iterator[str]:
    width = max(len(row.run) for row in rows)
    yield f"{'RUN':<{width}}  VERDICT       TOOK  CHECKS  RECOVERY"
    for row in rows:
        passed = f"{row.passed}/{row.checks}" if row.digest else "-"
        took = seconds_text(row.seconds) if row.digest else "-"
        slowest = max(row.recovery.values(), default=None)
        recovery = "-" if slowest is None else seconds_text(slowest)
        run = one_line(row.run)
        yield f"{run:<{width}}  {row.verdict:<10}  {took:>6}  {passed:>6}  {recovery:>8}"


def _as_csv(rows: Sequence[Row]) -> str:
    """Return a table with a column for each figure; seconds."""
    figures = sorted({name for row in rows for name in (*row.recovery, *row.figures)})
    plain = [name for name in Row.__dataclass_fields__ if name not in ("recovery", "figures")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *map(_cell, figures)])
    for row in rows:
        values = {**row.figures, **row.recovery}
        cells = [_cell(getattr(row, name)) for name in plain]
        writer.writerow([*cells, *(values.get(name, "") for name in figures)])
    return text.getvalue()


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        value = one_line(value)
        return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
    return value


def prune(runs: Path, keep: int, scenario: str | None, *, dry_run: bool) -> ExitCode:
    """Remove all but the newest `keep` runs of each scenario, and say so.

    A run stays while it goes on, while something of it must still be undone, and as part of a
    baseline. Raises `StoreFailed` when a folder cannot be removed.
    """
    refuse_link(runs)
    named = {run for series in baselines(runs).values() for run in series}
    _finish_removing(runs, dry_run=dry_run)
    by_scenario: dict[str, list[Row]] = {}
    for row in every_run(runs):
        if scenario in (None, row.scenario):
            by_scenario.setdefault(row.scenario, []).append(row)
    old = sorted(row.run for rows in by_scenario.values() for row in rows[:-keep])
    removed = 0
    for run in old:
        why = "is part of a baseline" if run in named else _needed(runs / run)
        if why is not None:
            say(f"stays    {run}: it {why}")
            continue
        say(f"{'would remove' if dry_run else 'removed'}  {run}")
        removed += 1
        if not dry_run:
            _remove(runs / run)
    if not dry_run and removed:
        with Index.of(runs):  # forgets them
            pass
    verb = "would be removed" if dry_run else "removed"
    say(f"{removed} of {sum(map(len, by_scenario.values()))} runs {verb}")
    return ExitCode.PASSED


def _needed(folder: Path) -> str | None:
    """Return why a run must stay, None when nothing needs it."""
    from chaoskit.recovery.recover import to_undo

    if folder.is_symlink():
        return "is a link"
    if live_owner(folder) is not None:
        return "goes on"
    if (folder / LOCK).exists():
        return "was killed; `chaoskit recover` finishes it"
    try:
        left = to_undo(folder)
    except ChaoskitError:
        return "has a ledger that cannot be read"
    return "left something behind, which its ledger can undo" if left else None


def _remove(folder: Path) -> None:
    """Remove a run folder; one that is removed half is no run any more."""
    going = folder.with_name(f"{_REMOVING}{folder.name}")
    try:
        folder.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise StoreFailed(
            f"cannot remove `{error.filename or folder}`: {error.strerror}"
        ) from error


def _finish_removing(runs: Path, *, dry_run: bool) -> None:
    """Remove what an earlier prune was killed over."""
    for folder in [] if dry_run else sorted(runs.glob(f"{_REMOVING}*")):
        if folder.is_dir() and not folder.is_symlink():
            tell(f"removing what is left of {folder.name.removeprefix(_REMOVING)}")
            shutil.rmtree(folder, ignore_errors=True)
