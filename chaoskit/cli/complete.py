"""What a shell may complete on the command line; a Tab must not fail, whatever is in the files.

Like `main` it imports nothing heavy, and its annotations are not strings.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import typer

_MOST = 200  # a longer list helps nobody
_DEEPEST = 3  # folders below the one that is written


def scenarios(incomplete: str) -> list[str]:
    """Return the scenario files, and folders with some, whose path starts so."""
    from chaoskit.scenario.discover import may_be_a_scenario

    before, _, _ = incomplete.rpartition("/")
    folder = Path(f"{before}/" if before or incomplete.startswith("/") else ".")
    found: list[str] = []
    for file in _below(folder, incomplete, _DEEPEST):
        if may_be_a_scenario(file):
            above = file.parent
            found += [] if above in (folder, Path()) or str(above) in found else [str(above)]
            found.append(str(file))
        if len(found) >= _MOST:
            break
    return [path for path in found if path.startswith(incomplete)]


def _below(folder: Path, start: str, depth: int) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for entry in sorted(folder.iterdir()):
            path = str(entry)
            if entry.name.startswith(".") or not (path.startswith(start) or start.startswith(path)):
                continue
            if entry.is_dir():
                if depth:
                    yield from _below(entry, start, depth - 1)
            elif entry.suffix in (".yaml", ".yml") and entry.is_file():
                yield entry


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of runs that start so, the newest first, and `latest`."""
    from chaoskit.record.folder import known_runs

    found: list[str] = []
    with contextlib.suppress(OSError):
        found = [path.name for path in reversed(known_runs(_runs_dir(context)))]
    return _starting(incomplete, [*(["latest"] if found else []), *found[:_MOST]])


def faults(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of the faults of the scenario that is named before; else every kind."""
    from chaoskit.errors import ChaoskitError
    from chaoskit.faults import REGISTRY
    from chaoskit.scenario.loading import load

    found: list[str] = []
    for path in context.params.get("paths") or context.args:  # unparsed before an unfinished option
        with contextlib.suppress(ChaoskitError, OSError):
            scenario = load(Path(path), os.environ, compose=False).scenario
            found += [fault.name for fault in scenario.injections()]
    return _starting(incomplete, found or REGISTRY.names())


def workloads(incomplete: str) -> list[str]:
    """Return the kinds of workloads that start so."""
    return _kinds("workload", incomplete)


def checks(incomplete: str) -> list[str]:
    """Return the kinds of checks that start so."""
    return _kinds("check", incomplete)


def lists(incomplete: str) -> list[str]:
    """Return what `list` lists."""
    return _starting(incomplete, ["faults", "probes", "workloads", "checks", "scenarios"])


def schemas(incomplete: str) -> list[str]:
    """Return what `schema` prints."""
    return _starting(incomplete, ["scenario", "result", "events"])


_FORMATS = ["annotations", "html", "json", "junit", "metrics", "prompt", "summary", "trace"]


def reports(incomplete: str) -> list[str]:
    """Return the kinds of reports, each with its `=`."""
    return [f"{kind}=" for kind in _starting(incomplete, sorted((*_FORMATS, "html-dir")))]


def formats(incomplete: str) -> list[str]:
    """Return the kinds of reports."""
    return _starting(incomplete, _FORMATS)


def run_scenarios(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the scenarios that were run."""
    import sqlite3

    from chaoskit.series.index import Index

    found: list[str] = []
    with contextlib.suppress(OSError, sqlite3.Error), Index.of(_runs_dir(context)) as index:
        found = sorted({row.scenario for row in index.rows()})
    return _starting(incomplete, found[:_MOST])


def baselines(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the baselines."""
    from chaoskit.errors import ChaoskitError
    from chaoskit.series.baselines import baselines as named

    found: list[str] = []
    with contextlib.suppress(ChaoskitError):
        found = sorted(named(_runs_dir(context)))
    return _starting(incomplete, found[:_MOST])


def verdicts(incomplete: str) -> list[str]:
    """Return the verdicts, and the states of runs that have none."""
    return _starting(incomplete, ["pass", "fail", "unknown", "running", "unfinished"])


def _runs_dir(context: typer.Context) -> Path:
    return Path(context.params.get("runs_dir") or ".chaoskit/runs")


def _kinds(sort: str, incomplete: str) -> list[str]:
    from chaoskit.scenario.document import KINDS

    return _starting(incomplete, KINDS[sort].names())


def _starting(incomplete: str, options: list[str]) -> list[str]:
    return [option for option in options if option.startswith(incomplete)]
