"""`chaoskit merge`: what the parts of a suite, run on several machines, amount to together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaoskit.cli.destination import STDOUT
from chaoskit.cli.output import patiently, tell
from chaoskit.cli.progress import console
from chaoskit.cli.reports import as_json, show, wanted, write
from chaoskit.errors import ExitCode, NothingSelected, UsageError
from chaoskit.judge.result import results_of
from chaoskit.judge.stored import StoredRun
from chaoskit.record.folder import RESULT, known_runs
from chaoskit.report import terminal
from chaoskit.scenario.source import no_such_path
from chaoskit.suite.verdict import FailOn, exit_code, flakes


def merge_results(
    parts: Sequence[Path], fail_on: FailOn, reports: Sequence[str], *, json: bool
) -> ExitCode:
    """Print and report all results of the parts, each run once; return their exit code.

    Raises `StoreFailed` for a run without a result: a suite without it would look better than it
    is.
    """
    listed = wanted(reports, stdout_taken_by="--json" if json else None, inputs=parts)
    runs: dict[str, StoredRun] = {}
    for number, run in enumerate(one for part in parts for one in _read(part)):
        # Those that could not be run have no id: each of them counts.
        name = run.result.run.id or f"#{number}"
        if name in runs:
            tell(f"note: run `{name}` is there twice and counts once")
        runs[name] = run
    stored = sorted(runs.values(), key=lambda run: run.result.run.started_at)
    merged = [run.result for run in stored]
    write(listed, stored)
    if json:
        show(as_json(merged))
    elif all(path != STDOUT for _, path in listed):
        said = flakes(merged)
        patiently(lambda: terminal.render_suite(merged, console(sys.stdout), said))
    return exit_code([ExitCode(result.exit_code) for result in merged], fail_on)


def _read(part: Path) -> Iterator[StoredRun]:
    if not part.exists():
        raise no_such_path(part)
    if part.is_file():
        found = results_of(part)
        if not found:
            raise NothingSelected(f"`{part}` holds no result")
        yield from (StoredRun(result, None) for result in found)
        return
    folders = [part] if (part / RESULT).exists() else known_runs(part)
    if not folders:
        raise UsageError(
            f"`{part}` is neither a run nor a folder of runs",
            hint="name files that `--report json=FILE` wrote, or run folders",
        )
    for folder in folders:
        yield StoredRun.read(folder)
