"""`chaoskit report`: a stored run, shown again from its result document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from chaoskit.cli.output import patiently
from chaoskit.cli.progress import console
from chaoskit.cli.reports import as_json, parsed, write
from chaoskit.errors import ExitCode
from chaoskit.judge.result import stored_result
from chaoskit.record.folder import find_run
from chaoskit.report import terminal


def show_report(run: str, runs: Path, reports: Sequence[str], *, json: bool) -> ExitCode:
    """Print the report of a run and write those that are asked for, whatever its verdict.

    Raises `StoreFailed` when it has no result.
    """
    wanted = [parsed(text) for text in reports]
    folder = find_run(runs, run)
    result = stored_result(folder)
    write(wanted, [result], [folder])
    if json:
        patiently(lambda: print(as_json([result]), end="", flush=True))
    else:
        patiently(lambda: terminal.render(result, console(sys.stdout), folder))
    return ExitCode.PASSED
