"""`chaoskit report`: a stored run, shown again from its folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from chaoskit.cli.destination import STDOUT
from chaoskit.cli.output import patiently
from chaoskit.cli.progress import console
from chaoskit.cli.reports import FORMATS, as_json, show, wanted, write
from chaoskit.errors import ExitCode, UsageError
from chaoskit.judge.stored import StoredRun
from chaoskit.record.folder import find_run
from chaoskit.report import terminal


def show_report(
    run: str, runs: Path, reports: Sequence[str], *, form: str | None, json: bool
) -> ExitCode:
    """Print the report of a run and write those that are asked for, whatever its verdict.

    `form` is the kind of report that is printed in place of the one for terminals. Raises
    `StoreFailed` when the run has no result.
    """
    if form is not None and json:
        raise UsageError("`--format` and `--json` both want stdout", hint="leave one of them out")
    if form is not None and form not in FORMATS:
        raise UsageError(
            f"`{form}` is no kind of report", hint=f"it is one of {', '.join(FORMATS)}"
        )
    asked = [*reports, *([] if form is None else [f"{form}=-"])]
    listed = wanted(asked, stdout_taken_by="--json" if json else None)
    stored = StoredRun.read(find_run(runs, run))
    write(listed, [stored])
    if json:
        show(as_json([stored.result]))
    elif all(path != STDOUT for _, path in listed):
        patiently(lambda: terminal.render(stored.result, console(sys.stdout), stored.folder))
    return ExitCode.PASSED
