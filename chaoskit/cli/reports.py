"""`--report KIND=FILE`: which reports there are, and writing them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from chaoskit.cli.destination import (
    STDOUT,
    cannot_write,
    destination,
    is_stream,
    open_to_write,
)
from chaoskit.cli.output import patiently
from chaoskit.errors import UsageError
from chaoskit.judge.result import Result
from chaoskit.judge.stored import StoredRun
from chaoskit.report import annotation, junit, metrics, prompt, summary

_WHAT = "the report"


def as_json(results: Sequence[Result]) -> str:
    """Return the result document of one run, or a list of several."""
    documents = [result.model_dump(mode="json") for result in results]
    return json.dumps(documents[0] if len(documents) == 1 else documents, indent=2) + "\n"


_REPORTS: dict[str, Callable[[Sequence[StoredRun]], str]] = {
    "json": lambda runs: as_json([run.result for run in runs]),
    "junit": lambda runs: junit.render([run.result for run in runs], _attached(runs)),
    "summary": lambda runs: summary.render([run.result for run in runs]),
    "prompt": prompt.render,
    "metrics": lambda runs: metrics.render([run.result for run in runs]),
    "annotations": lambda runs: annotation.as_links(runs, source_address(os.environ)),
}


def _page(folder: Path) -> str:
    from chaoskit.report.html.page import render

    return render(folder)


def _trace(folder: Path) -> str:
    from chaoskit.report.html.trace import render

    return render(folder)


# These show what the whole folder of a run holds: of several runs, each has a file of its own.
_OF_FOLDER: dict[str, Callable[[Path], str]] = {"html": _page, "trace": _trace}
_PARTS = "html-dir"  # a directory with the page as several files
FORMATS = (*_REPORTS, *_OF_FOLDER)
KINDS = (*FORMATS, _PARTS)


def wanted(
    texts: Sequence[str], *, stdout_taken_by: str | None = None, inputs: Sequence[Path] = ()
) -> list[tuple[str, Path]]:
    """Return the kind and the file of each option, before anything is started for them.

    `stdout_taken_by` is what else wants stdout, such as `--json`; over `inputs` nothing is written.
    Raises `UsageError`.
    """
    read = set(map(os.path.realpath, inputs))
    reports = [parsed(text) for text in texts]
    files = [os.path.realpath(path) for _, path in reports]
    for kind, path in reports:
        if path == STDOUT and stdout_taken_by is not None:
            raise UsageError(
                f"`--report {kind}=-` and `{stdout_taken_by}` both want stdout",
                hint="give one of them a file",
            )
        if files.count(os.path.realpath(path)) > 1 and path != Path(os.devnull):
            raise UsageError(f"two reports cannot go to `{path}`", hint="give each its own")
        if os.path.realpath(path) in read:
            raise UsageError(f"`{path}` is read, so no report can go there", hint="name another")
    return reports


def parsed(text: str) -> tuple[str, Path]:
    """Return the kind and the file of one option, before anything is started for it.

    Raises `UsageError`, also for a file that cannot be written, or will not be.
    """
    kind, separator, file = text.partition("=")
    if not separator or kind not in KINDS or not file:
        raise UsageError(
            f"`--report {text}` is not KIND=FILE", hint=f"KIND is one of {', '.join(KINDS)}"
        )
    if kind != _PARTS:
        return kind, destination(file, kind, _WHAT)
    if is_stream(Path(file)):
        raise UsageError("`html-dir` makes a directory", hint="`html=-` is the page in one piece")
    from chaoskit.report.html.page import SCRIPT, STYLE

    for name in ("index.html", STYLE, SCRIPT):
        destination(f"{file}/{name}", Path(name).suffix, _WHAT)
    return kind, Path(file)


def write(reports: Sequence[tuple[str, Path]], runs: Sequence[StoredRun]) -> None:
    """Write each report where it is to go.

    Raises `UsageError` when one cannot be written, `StoreFailed` for a run that cannot be read.
    """
    for kind, path in reports:
        for target, text in _files(kind, path, runs):
            if target == STDOUT:
                show(text)
                continue
            try:
                with open_to_write(target, target.suffix if kind == _PARTS else kind) as file:
                    file.write(text)
            except OSError as error:
                raise cannot_write(_WHAT, target, error) from error


def _files(kind: str, path: Path, runs: Sequence[StoredRun]) -> Iterator[tuple[Path, str]]:
    """Yield the files of one report; of several runs, each has the run's id in its name."""
    if kind in _REPORTS:
        yield path, _REPORTS[kind](runs)
        return
    pages = {run.folder: _page_of(kind, path, run.folder, len(runs)) for run in runs if run.folder}
    if kind != "trace" and len(runs) > 1:
        yield from _overview(kind, path, runs, pages)
    if is_stream(path) and len(runs) > 1:
        if kind == "trace":
            hint = "give it a file: each run gets its own"
            raise UsageError(f"`trace={path}` shows one run", hint=hint)
        return
    for folder, target in pages.items():
        if kind == _PARTS:
            from chaoskit.report.html.page import render_parts

            for name, text in render_parts(folder).items():
                yield target.with_name(name), text
        else:
            yield target, _OF_FOLDER[kind](folder)


def _page_of(kind: str, path: Path, folder: Path, runs: int) -> Path:
    """Return where the page of one of so many runs goes."""
    if kind == _PARTS:
        return (path if runs == 1 else path / folder.name) / "index.html"
    return path if runs == 1 else path.with_name(f"{path.stem}-{folder.name}{path.suffix}")


def _overview(
    kind: str, path: Path, runs: Sequence[StoredRun], pages: Mapping[Path, Path]
) -> Iterator[tuple[Path, str]]:
    """Yield the page of several runs, with links to their own pages as far as they have some."""
    from chaoskit.report.html import suite

    base = path if kind == _PARTS else path.parent
    listed = [
        suite.Listed(
            run.result,
            None
            if run.folder is None or is_stream(path)
            else pages[run.folder].relative_to(base).as_posix(),
        )
        for run in runs
    ]
    if kind == _PARTS:
        for name, text in suite.render_parts(listed).items():
            yield path / name, text
    else:
        yield path, suite.render(listed)


def show(text: str) -> None:
    """Print a document of ours on stdout, as it is."""
    patiently(lambda: print(text, end="", flush=True))


def source_address(environ: Mapping[str, str]) -> str:
    """Return what stands before the path of a file in its address at the forge that runs this job;
    nothing elsewhere."""
    if environ.get("CI_PROJECT_URL") and environ.get("CI_COMMIT_SHA"):
        return f"{environ['CI_PROJECT_URL']}/-/blob/{environ['CI_COMMIT_SHA']}/"
    if environ.get("GITHUB_REPOSITORY") and environ.get("GITHUB_SHA"):
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        return f"{server}/{environ['GITHUB_REPOSITORY']}/blob/{environ['GITHUB_SHA']}/"
    return ""


def _attached(runs: Sequence[StoredRun]) -> list[str | None]:
    """Return for each run the page or the summary of its folder, as a job that runs here names it;
    None where it is not below the working directory, from which a job takes its artifacts."""
    here = Path.cwd()
    found: list[str | None] = []
    for run in runs:
        folder = None if run.folder is None else run.folder.resolve()
        pages = [] if folder is None else [folder / "report.html", folder / "summary.md"]
        page = next((p for p in pages if p.is_file() and p.is_relative_to(here)), None)
        found.append(None if page is None else str(page.relative_to(here)))
    return found
