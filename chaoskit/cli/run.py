"""`chaoskit run`: one scenario or a suite of them, from files to reports and exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chaoskit.cli.errors import complain
from chaoskit.cli.live import LiveView
from chaoskit.cli.output import forget_stdout, patiently, tell
from chaoskit.cli.progress import Progress, console, stderr_console
from chaoskit.cli.recover import recover_before_run
from chaoskit.cli.reports import as_json, parsed, write
from chaoskit.cli.warnings import warn
from chaoskit.errors import (
    ChaoskitError,
    ExitCode,
    Problem,
    StoreFailed,
    UsageError,
)
from chaoskit.files import refuse_link
from chaoskit.judge.result import Result
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Recorded
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Listener, LiveCounts
from chaoskit.recovery.teardown import write_reports
from chaoskit.report import terminal
from chaoskit.scenario.loading import load_all
from chaoskit.suite.execution import (
    Ended,
    Interrupted,
    Settings,
    refuse_host_commands,
    run_scenario,
)
from chaoskit.suite.selection import Selection
from chaoskit.suite.verdict import FailOn, counts_as_failed, exit_code, flakes


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    selection: Selection
    settings: Settings
    repeat: int = 1
    fail_fast: bool = False
    fail_on: FailOn = "unknown"
    reports: tuple[str, ...] = ()
    json: bool = False
    events: str | None = None


def run_scenarios(request: RunRequest) -> ExitCode:
    """Load everything, run what is selected, report; return the exit code."""
    reports = [parsed(text) for text in request.reports]
    settings = request.settings
    scenarios = request.selection.of(load_all(request.paths, os.environ))
    if settings.only_faults and len(scenarios) > 1:
        raise UsageError("--only-fault needs exactly one scenario")
    if not settings.allow_host_exec:
        refuse_host_commands(scenarios, settings.only_faults)
    events = _Events(request.events)
    recover_before_run(settings.runs_dir, allow_host_exec=settings.allow_host_exec)
    left = [one for _ in range(request.repeat) for one in scenarios]
    many = len(left) > 1
    codes: list[ExitCode] = []
    ended: list[Ended] = []
    while left:
        try:
            one = run_scenario(left.pop(0), settings, _Watching(events))
        except Interrupted as interrupted:
            codes.append(interrupted.code)
            break
        ended.append(one)
        codes.append(_said(one, request))
        if codes[-1].by_signal or (
            request.fail_fast and counts_as_failed(codes[-1], request.fail_on)
        ):
            break
    results = [one.result for one in ended]
    write(reports, results)
    if request.json:
        patiently(lambda: print(as_json(results), end="", flush=True))
    elif many:
        said = flakes(results)
        patiently(lambda: terminal.render_suite(results, console(sys.stdout), said))
    if left:
        names = ", ".join(dict.fromkeys(f"`{one.scenario.name}`" for one in left))
        tell(f"not started any more: {names}")
    return exit_code(codes, request.fail_on)


def _said(ended: Ended, request: RunRequest) -> ExitCode:
    """Print how a scenario ended and write its reports; return its exit code."""
    if ended.folder is None:
        error = ChaoskitError(ended.result.reason or "", hint=ended.hint)
        error.exit_code = ended.code
        return complain(error)
    try:
        _print(ended.result, ended.folder, request)
    except StoreFailed as error:  # such as a full disk: other scenarios go on
        return complain(error)
    return ended.code


class _Watching:
    """Shows one scenario while it is run, and streams its events."""

    def __init__(self, events: _Events) -> None:
        self._events = events
        self._progress: Progress | None = None

    def warn(self, warnings: Iterable[Problem]) -> None:
        warn(warnings)

    def begin(self, plan: Plan, folder: RunFolder) -> Listener:
        view = LiveView(plan.loaded.scenario, plan.faults)
        progress = Progress(stderr_console(), view, folder.redactor.clean)
        self._progress = progress

        def listen(recorded: Recorded) -> None:
            progress(recorded)
            self._events.write(json.dumps(folder.redactor.clean_json(recorded.row())))

        return listen

    def watch(self, counts: LiveCounts) -> None:
        if self._progress is not None:
            self._progress.watch(counts)
            self._progress.start()

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _print(result: Result, folder: Path, request: RunRequest) -> None:
    write_reports(folder, result)
    if not request.json and request.events != "-":
        patiently(lambda: terminal.render(result, console(sys.stdout), folder))


class _Events:
    """Where `--events` streams to: a file, stdout, or nowhere."""

    def __init__(self, where: str | None) -> None:
        self._file: TextIO | None = None
        if where == "-":
            self._file = sys.stdout
        elif where is not None:
            try:
                refuse_link(Path(where))
                self._file = Path(where).open("w", encoding="utf-8")  # noqa: SIM115  # open all along
            except OSError as error:
                raise UsageError(f"cannot write events to `{where}`: {error.strerror}") from error

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
