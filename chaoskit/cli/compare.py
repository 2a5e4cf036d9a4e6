"""`chaoskit compare`: two series of stored runs of one scenario, beside each other."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from chaoskit.cli.output import say, tell
from chaoskit.cli.progress import console
from chaoskit.errors import ExitCode, StoreFailed, UsageError
from chaoskit.judge.result import stored_result
from chaoskit.record.folder import RESULT, SCENARIO, find_run, known_runs
from chaoskit.series.baselines import of_name
from chaoskit.series.compare import LARGEST_BLIND_SPOT, Compared, Outcome, compare
from chaoskit.series.index import Index, digest_of
from chaoskit.text import count, printable


def compare_runs(before: str, after: str, runs: Path, *, as_json: bool) -> ExitCode:
    """Print what is worse in `after`: `FAILED` when anything is, `UNKNOWN` when too few runs tell.

    Raises `UsageError` for a side without runs, a run on both sides, or runs of other scenarios;
    `StoreFailed` for a run without a result.
    """
    return compare_folders(_folders(before, runs), _folders(after, runs), as_json=as_json)


def compare_with_baseline(name: str, after: str | None, runs: Path, *, as_json: bool) -> ExitCode:
    """Compare a baseline with the runs of `after`; without that, with all later ones of the same
    scenario text. Raises as `compare_runs`."""
    ids = of_name(runs, name)
    if missing := [run for run in ids if not (runs / run / RESULT).exists()]:
        raise UsageError(
            f"run `{missing[0]}` of baseline `{name}` is gone",
            hint=f"name it again: `chaoskit baseline {name} RUN...`",
        )
    before = [(runs / run).resolve() for run in ids]
    if after is not None:
        return compare_folders(before, _folders(after, runs), as_json=as_json)
    with Index.of(runs) as index:
        rows = {row.run: row for row in index.rows()}
    newest = rows[max(ids)]
    later = [
        row for row in rows.values() if row.run > newest.run and row.scenario == newest.scenario
    ]
    same = [row.run for row in later if row.digest == newest.digest]
    if len(same) < len(later):
        tell(f"{count(len(later) - len(same), 'later run')} of another text of it left out")
    if not same:
        raise UsageError(
            f"no run of the same text of `{newest.scenario}` came after baseline `{name}`",
            hint="run it again, or name the runs to compare it with",
        )
    return compare_folders(before, [(runs / run).resolve() for run in same], as_json=as_json)


def compare_folders(before: Sequence[Path], after: Sequence[Path], *, as_json: bool) -> ExitCode:
    """Compare two series of run folders, as `compare_runs` does."""
    sides = (before, after)
    if both := set(before) & set(after):
        raise UsageError(f"run `{min(both).name}` is on both sides")
    _refuse_other_scenarios([*before, *after])
    rows = compare(*([stored_result(folder) for folder in side] for side in sides))
    if as_json:
        print(json.dumps([_document(row) for row in rows], indent=2))
    else:
        say(f"{count(len(before), 'run')} before, {len(after)} after")
        console(sys.stdout).print(_table(rows))
        if few := [row for row in rows if row.outcome is Outcome.UNKNOWN and row.too_few]:
            wanted = ", ".join(f"`{row.name}` {_needed(row)}" for row in few)
            say(f"too few runs to find a change of {LARGEST_BLIND_SPOT:.0%}; needed: {wanted}")
    outcomes = {row.outcome for row in rows}
    if Outcome.WORSE in outcomes:
        return ExitCode.FAILED
    return ExitCode.UNKNOWN if Outcome.UNKNOWN in outcomes else ExitCode.PASSED


def _folders(side: str, runs: Path) -> list[Path]:
    """Return the folders of one side: those in a folder of runs, or those named."""
    inside = [path.resolve() for path in known_runs(Path(side)) if not path.is_symlink()]
    if inside and not (Path(side) / SCENARIO).exists():
        return inside
    named = [find_run(runs, name) for name in side.split(",") if name]
    if not named:
        raise UsageError("a side of the comparison names no run")
    return list(dict.fromkeys(named))


def _refuse_other_scenarios(folders: Sequence[Path]) -> None:
    first, *others = folders
    for other in others:
        if _digest(other) != _digest(first):
            raise UsageError(
                f"run `{other.name}` is not of the same scenario text as `{first.name}`",
                hint="only runs of one unchanged scenario can be compared",
            )


def _digest(folder: Path) -> str:
    try:
        return digest_of(folder)
    except OSError as error:
        raise StoreFailed(f"cannot read `{folder / SCENARIO}`: {error.strerror}") from error


def _document(row: Compared) -> dict[str, object]:
    """Return a row as JSON: what is endless there has no number."""
    document = asdict(row) | {"outcome": row.outcome}
    numbers = {key: value for key, value in document.items() if isinstance(value, float)}
    return document | {key: None for key, value in numbers.items() if not math.isfinite(value)}


def _table(rows: Sequence[Compared]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("", "before", "after", "change", "could be found", "p", "outcome"):
        table.add_column(title)
    for row in rows:
        numbers = [_number(row.before), _number(row.after), _share(row.change)]
        outcome = row.outcome.value + (f" (missing in {row.missing} runs)" if row.missing else "")
        cells = [row.name, *numbers, _share(row.findable), f"{row.p:.3g}", outcome]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _needed(row: Compared) -> str:
    return "more than can be made" if row.needed is None else f"about {row.needed} on each side"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{value:+.0%}" if math.isfinite(value) else "-"
