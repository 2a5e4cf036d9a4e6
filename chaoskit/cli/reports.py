"""`--report KIND=FILE`: which reports there are, and writing them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from chaoskit.errors import UsageError
from chaoskit.files import refuse_link
from chaoskit.judge.result import Result
from chaoskit.report import junit, summary


def as_json(results: Sequence[Result]) -> str:
    """Return the result document of one run, or a list of several."""
    documents = [result.model_dump(mode="json") for result in results]
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2) + "\n"


_REPORTS: dict[str, Callable[[Sequence[Result]], str]] = {
    "json": as_json,
    "junit": junit.render,
    "summary": summary.render,
}


def parsed(text: str) -> tuple[str, Path]:
    """Return the kind and the file of one option, before anything is started for it.

    Raises `UsageError`, also for a file that cannot be written, or will not be: through a link that
    came with a checkout.
    """
    kind, separator, file = text.partition("=")
    if not separator or kind not in _REPORTS or not file:
        raise UsageError(
            f"`--report {text}` is not KIND=FILE", hint=f"KIND is one of {', '.join(_REPORTS)}"
        )
    path = Path(file)
    try:
        refuse_link(path)
        _refuse_unwritable(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return kind, path


def _refuse_unwritable(path: Path) -> None:
    """Raise `OSError` where the file cannot be written; its folder is there afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    was_there = path.exists()
    path.open("ab").close()
    if not was_there:
        path.unlink()


def write(reports: Sequence[tuple[str, Path]], results: Sequence[Result]) -> None:
    """Write each report into its file. Raises `UsageError` when one cannot be written."""
    for kind, path in reports:
        try:
            refuse_link(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_REPORTS[kind](results), encoding="utf-8")
        except OSError as error:
            raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write the report `{path}`: {error.strerror}")
