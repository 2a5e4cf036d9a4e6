"""`chaoskit report`: a stored run, shown again from its result document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from chaoskit.cli.progress import console
from chaoskit.cli.reports import as_json, parsed, write
from chaoskit.errors import ExitCode, StoreFailed
from chaoskit.judge.result import Result
from chaoskit.record.folder import RESULT, find_run
from chaoskit.report import terminal


def show_report(run: str, runs: Path, reports: Sequence[str], *, json: bool) -> ExitCode:
    """Print the report of a run and write those that are asked for, whatever its verdict.

    Raises `StoreFailed` when it has no result.
    """
    wanted = [parsed(text) for text in reports]
    folder = find_run(runs, run)
    result = stored_result(folder)
    write(wanted, [result])
    if json:
        print(as_json([result]), end="")
    else:
        terminal.render(result, console(sys.stdout), folder)
    return ExitCode.PASSED


def stored_result(folder: Path) -> Result:
    """Read a run's result document. Raises `StoreFailed` when it has none that can be read."""
    path = folder / RESULT
    try:
        return Result.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreFailed(
            f"run `{folder.name}` has no result: {error.strerror}",
            hint="it goes on, or it was killed and `chaoskit recover` finishes it",
        ) from error
    except ValidationError as error:
        raise StoreFailed(f"`{path}` is not a result of this version of chaoskit") from error
