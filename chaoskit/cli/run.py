"""`chaoskit run`: one scenario or a suite of them, from files to reports and exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chaoskit.cli.destination import STDOUT, cannot_write, destination, open_to_write
from chaoskit.cli.errors import complain, explain
from chaoskit.cli.github import on_one_stream, quoted, say_in_job
from chaoskit.cli.output import forget_stdout, patiently, tell
from chaoskit.cli.progress import console
from chaoskit.cli.recover import recover_before_run
from chaoskit.cli.reports import as_json, show, wanted, write
from chaoskit.cli.warnings import warn
from chaoskit.cli.watching import OneRun, Watching
from chaoskit.errors import ExitCode, StoreFailed, UsageError
from chaoskit.judge.result import Result
from chaoskit.judge.stored import StoredRun
from chaoskit.report import terminal
from chaoskit.run.kept import Shelf
from chaoskit.scenario.discover import left_out
from chaoskit.scenario.loading import Loaded, load_all
from chaoskit.suite.execution import (
    Ended,
    Interrupted,
    Settings,
    refuse_host_commands,
    run_scenario,
)
from chaoskit.suite.pool import Outcome, bounded, run_side_by_side
from chaoskit.suite.selection import Selection
from chaoskit.suite.verdict import FailOn, counts_as_failed, exit_code, flakes
from chaoskit.suite.warm import cleared, group_of, in_order, targets_of

_EVENTS = "events to"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    selection: Selection
    settings: Settings
    repeat: int = 1
    parallel: int = 1
    fail_fast: bool = False
    fail_on: FailOn = "unknown"
    reports: tuple[str, ...] = ()
    json: bool = False
    events: str | None = None


def run_scenarios(request: RunRequest) -> ExitCode:
    """Load everything, run what is selected, report; return the exit code."""
    to = None if request.events is None else destination(request.events, "events", _EVENTS)
    taken = "--json" if request.json else "--events -" if to == STDOUT else None
    reports = wanted(request.reports, stdout_taken_by=taken)
    quiet = taken is not None or any(path == STDOUT for _, path in reports)
    if not quiet:
        on_one_stream()
    settings = request.settings
    warn(left_out(request.paths))
    scenarios = request.selection.of(load_all(request.paths, os.environ))
    if settings.only_faults and len(scenarios) > 1:
        raise UsageError("--only-fault needs exactly one scenario")
    if not settings.allow_host_exec:
        refuse_host_commands(scenarios, settings.only_faults)
    scenarios = in_order(scenarios * request.repeat, warm=settings.warm)
    at_once = _at_once(request, len(scenarios))
    events = _Events(to)
    recover_before_run(settings.runs_dir, allow_host_exec=settings.allow_host_exec)
    suite = _Suite(request, quiet=quiet)
    watching = Watching(scenarios, at_once, suite.said, events.write)
    if at_once > 1:
        watching.progress.start()
        with quoted(f"run {len(scenarios)} scenarios"):
            outcome = run_side_by_side(scenarios, settings, at_once, watching)
        watching.progress.stop()
    else:
        outcome = _one_after_another(scenarios, settings, watching)
    stored = [StoredRun(one.result, one.folder) for one in outcome.ended]
    write(reports, stored)
    say_in_job(stored)
    results = [run.result for run in stored]
    if request.json:
        show(as_json(results))
    elif len(scenarios) > 1 and not quiet:
        said = flakes(results)
        with quoted():
            patiently(lambda: terminal.render_suite(results, console(sys.stdout), said))
    if outcome.left and len(scenarios) > 1:
        names = ", ".join(dict.fromkeys(f"`{one.scenario.name}`" for one in outcome.left))
        tell(f"not started any more: {names}")
    codes = [] if outcome.signal is None else [outcome.signal]
    codes += [ExitCode.LEFT_BEHIND] if outcome.left_behind else []
    return exit_code([*codes, *suite.codes], request.fail_on)


def _at_once(request: RunRequest, many: int) -> int:
    """Return how many scenarios run side by side, and say so where it is less than asked for."""
    if request.parallel == 1 or many == 1:
        return 1
    if request.events is not None:
        raise UsageError(
            "`--events` is for one run at a time, and `--parallel` mixes several",
            hint="each run folder has its `events.ndjson`",
        )
    at_once, why = bounded(min(request.parallel, many))
    if why is not None:
        tell(f"note: {why}")
    return at_once


def _one_after_another(
    scenarios: Sequence[Loaded], settings: Settings, watching: Watching
) -> Outcome:
    """Run scenarios in this process."""
    outcome = Outcome(left=list(scenarios))
    shelf = Shelf()
    try:
        for number, loaded in enumerate(scenarios):
            outcome.left.pop(0)
            watching.began(number, loaded)
            group = group_of(loaded, warm=settings.warm)
            also = targets_of(scenarios, group, warm=settings.warm)
            try:
                with quoted(f"run {loaded.path}"):
                    ended = run_scenario(loaded, settings, OneRun(watching, number), shelf, also)
            except Interrupted as interrupted:
                outcome.signal = interrupted.code
                outcome.left.insert(0, loaded)
                break
            outcome.ended.append(ended)
            if not watching.ended(number, ended):
                break
    finally:
        for one in cleared(shelf):
            tell(f"left behind: {one.what}\n  remove it with: {one.command}")
    outcome.left_behind = bool(shelf.left)
    return outcome


class _Suite:
    """Says how each scenario ended, and keeps the exit codes."""

    def __init__(self, request: RunRequest, *, quiet: bool) -> None:
        """`quiet` is where something else has stdout."""
        self._request = request
        self._quiet = quiet
        self.codes: list[ExitCode] = []

    def said(self, ended: Ended) -> bool:
        """Print how a scenario ended and write its reports; return whether others may begin."""
        request, code = self._request, ended.code
        if ended.folder is None:
            with quoted():
                explain(ended.result.reason or "", ended.hint, placed=ended.placed)
        else:
            if ended.unreported is not None:
                complain(StoreFailed(ended.unreported))
            if not self._quiet:
                with quoted():
                    _show(ended.result, ended.folder)
        self.codes.append(code)
        stops = request.fail_fast and counts_as_failed(code, request.fail_on)
        return not (code.by_signal or stops)


def _show(result: Result, folder: Path) -> None:
    patiently(lambda: terminal.render(result, console(sys.stdout), folder))


class _Events:
    """Where `--events` streams to: a file, stdout, or nowhere."""

    def __init__(self, where: Path | None) -> None:
        self._file: TextIO | None = None
        if where == STDOUT:
            self._file = sys.stdout
        elif where is not None:
            try:
                self._file = open_to_write(where, "events")
            except OSError as error:
                raise cannot_write(_EVENTS, where, error) from error

    def write(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError:  # the reader went away; the run goes on
            if self._file is sys.stdout:
                forget_stdout()
            self._file = None
