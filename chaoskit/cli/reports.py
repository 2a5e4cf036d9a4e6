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


def _page(folder: Path, target: Path) -> None:
    from chaoskit.report.html.page import render

    target.write_text(render(folder), encoding="utf-8")


def _page_parts(folder: Path, target: Path) -> None:
    from chaoskit.report.html.page import render_parts

    target.mkdir(exist_ok=True)
    for name, text in render_parts(folder).items():
        refuse_link(target / name)
        (target / name).write_text(text, encoding="utf-8")


def _trace(folder: Path, target: Path) -> None:
    from chaoskit.report.html.trace import render

    target.write_text(render(folder), encoding="utf-8")


# These show what the whole run folder holds, each a file or a folder for each run.
_OF_FOLDER: dict[str, Callable[[Path, Path], None]] = {
    "html": _page,
    "html-dir": _page_parts,
    "trace": _trace,
}


def kinds() -> list[str]:
    """Return the kinds of reports that can be asked for."""
    return [*_REPORTS, *_OF_FOLDER]


def parsed(text: str) -> tuple[str, Path]:
    """Return the kind and the file of one option, before anything is started for it.

    Raises `UsageError`, also for a file that cannot be written, or will not be: through a link that
    came with a checkout.
    """
    kind, separator, file = text.partition("=")
    if not separator or kind not in kinds() or not file:
        raise UsageError(
            f"`--report {text}` is not KIND=FILE", hint=f"KIND is one of {', '.join(kinds())}"
        )
    path = Path(file)
    try:
        refuse_link(path)
        _refuse_unwritable(path / "index.html" if kind == "html-dir" else path)
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


def write(
    reports: Sequence[tuple[str, Path]], results: Sequence[Result], folders: Sequence[Path]
) -> None:
    """Write each report into its file; `folders` are those of the runs.

    Raises `UsageError` when one cannot be written, `StoreFailed` for a run that cannot be read.
    """
    for kind, path in reports:
        try:
            refuse_link(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind in _REPORTS:
                path.write_text(_REPORTS[kind](results), encoding="utf-8")
                continue
            for folder, target in zip(folders, _targets(path, folders), strict=True):
                _OF_FOLDER[kind](folder, target)
        except OSError as error:
            raise _unwritable(path, error) from error


def _targets(path: Path, folders: Sequence[Path]) -> list[Path]:
    """Return where the report of each run goes; of several, each has the run's id in its name."""
    if len(folders) == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{folder.name}{path.suffix}") for folder in folders]


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write the report `{path}`: {error.strerror}")
