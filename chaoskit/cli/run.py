"""`chaoskit run`: one scenario or a suite of them, from files to reports and exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chaoskit.cli.errors import complain
from chaoskit.cli.github import quoted, say_in_job
from chaoskit.cli.live import LiveView
from chaoskit.cli.output import forget_stdout, patiently, tell
from chaoskit.cli.progress import Progress, console, stderr_console
from chaoskit.cli.recover import recover_before_run
from chaoskit.cli.reports import STDOUT, as_json, show, wanted, write
from chaoskit.cli.warnings import warn
from chaoskit.docker import compose_cli
from chaoskit.docker.client import Engine
from chaoskit.docker.images import toxiproxy_image
from chaoskit.errors import (
    ChaoskitError,
    EnvironmentFailure,
    ExitCode,
    StoreFailed,
    UsageError,
)
from chaoskit.files import refuse_link
from chaoskit.judge.result import Result
from chaoskit.judge.stored import StoredRun
from chaoskit.plan.plan import make_plan
from chaoskit.record.events import Recorded
from chaoskit.recovery.teardown import write_reports
from chaoskit.report import terminal
from chaoskit.run.runner import Options, Runner, prepare_folder
from chaoskit.run.signals import Signals
from chaoskit.scenario.loading import Loaded, load_all

# When scenarios end differently, the worst is the suite's: what is left behind comes first.
_WORST_FIRST = (
    ExitCode.INTERNAL,
    ExitCode.LEFT_BEHIND,
    ExitCode.FAILED,
    ExitCode.ENVIRONMENT,
    ExitCode.USAGE,
    ExitCode.UNKNOWN,
    ExitCode.PASSED,
)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for."""

    paths: tuple[Path, ...]
    seed: int | None
    only_faults: tuple[str, ...]
    keep: bool
    runs_dir: Path
    reports: tuple[str, ...]
    json: bool
    events: str | None
    allow_host_exec: bool


def run_scenarios(request: RunRequest) -> ExitCode:
    """Load everything, run one after another, report; return the exit code."""
    taken = "--json" if request.json else "--events -" if request.events == "-" else None
    reports = wanted(request.reports, stdout_taken_by=taken)
    quiet = taken is not None or any(path == STDOUT for _, path in reports)
    loaded = load_all(request.paths, os.environ)
    if request.only_faults and len(loaded) > 1:
        raise UsageError("--only-fault needs exactly one scenario")
    if not request.allow_host_exec:
        _refuse_host_commands(loaded, request.only_faults)
    events = _Events(request.events)
    recover_before_run(request.runs_dir, allow_host_exec=request.allow_host_exec)
    codes: list[ExitCode] = []
    stored: list[StoredRun] = []
    for scenario in loaded:
        try:
            with quoted(f"run {scenario.path}"):
                warn(scenario.warnings())
                result, folder = asyncio.run(_run_one(scenario, request, events))
        except ChaoskitError as error:
            with quoted():
                codes.append(complain(error))
            continue
        except Interrupted as interrupted:
            codes.append(interrupted.code)
            break
        stored.append(StoredRun(result, folder))
        code = ExitCode(result.exit_code)
        codes.append(code)
        try:
            write_reports(folder, result, tell)
        except StoreFailed as error:  # such as a full disk: other scenarios go on
            codes.append(complain(error))
        if not quiet:
            with quoted():
                _show(stored[-1])
        if code.by_signal:
            break
    write(reports, stored)
    say_in_job(stored)
    results = [run.result for run in stored]
    if request.json:
        show(as_json(results))
    elif len(loaded) > 1 and not quiet:
        patiently(lambda: terminal.render_suite(results, console(sys.stdout)))
    by_signal = (code for code in codes if code.by_signal)
    return next(by_signal, None) or next(code for code in _WORST_FIRST if code in codes)


def _refuse_host_commands(loaded: Sequence[Loaded], only: Sequence[str]) -> None:
    """A scenario may come from anywhere: what it runs on this machine must be allowed by hand."""
    for one in loaded:
        for fault in one.scenario.timeline.faults:
            if fault.runs_on_host and (not only or fault.name in only):
                raise UsageError(
                    f"fault `{fault.name}` of `{one.path}` runs commands on this machine",
                    hint="read them, then add `--allow-host-exec`",
                )


class Interrupted(Exception):
    """A signal came before anything was started."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(str(code))
        self.code = code


async def _run_one(loaded: Loaded, request: RunRequest, events: _Events) -> tuple[Result, Path]:
    async with contextlib.AsyncExitStack() as connection:
        preparing = asyncio.create_task(_prepared(loaded, request, events, connection))
        interrupt: Callable[[], object] = preparing.cancel
        with Signals(lambda: interrupt()) as signals:
            try:
                runner, folder, progress = await preparing
            except asyncio.CancelledError:
                raise Interrupted(signals.exit_code or ExitCode.INTERRUPTED) from None
            interrupt = runner.interrupt
            with progress:
                result = await runner.execute(signals)
            return result, folder


async def _prepared(
    loaded: Loaded, request: RunRequest, events: _Events, connection: contextlib.AsyncExitStack
) -> tuple[Runner, Path, Progress]:
    """Check engine, images and stack, and make the run folder; nothing is started yet.

    `connection` will hold the one to the engine, for as long as the run.
    """
    engine = await connection.enter_async_context(Engine.connect())
    image = await toxiproxy_image(engine.images)
    token = secrets.token_hex(3)
    name = loaded.scenario.name.lower().replace(".", "-")[:24].strip("-_")
    plan = await make_plan(
        loaded,
        run_project=f"ck-{name}-{token}",
        engine=engine,
        only_faults=request.only_faults,
    )
    await compose_cli.version()
    warn(plan.warnings)
    plan.refuse_shared()
    plan.refuse_too_many()
    if live := await plan.live_data(engine):
        raise EnvironmentFailure(
            "\n".join(live), hint="stop them first: two servers on the same data destroy it"
        )
    if taken := await plan.taken_subnets(engine):
        raise EnvironmentFailure("\n".join(taken))
    if impossible := await plan.impossible(engine):
        raise EnvironmentFailure("\n".join(impossible), hint="`chaoskit doctor` shows this host")
    folder = prepare_folder(plan, request.runs_dir, token)
    seed = request.seed if request.seed is not None else loaded.scenario.seed
    if seed is None:
        seed = secrets.randbelow(1_000_000)
    words = ["chaoskit", "run", str(loaded.path), "--seed", str(seed)]
    for fault in request.only_faults:
        words += ["--only-fault", fault]
    if request.allow_host_exec:
        words.append("--allow-host-exec")
    command = shlex.join(words)
    options = Options(
        seed=seed,
        command=command,
        image=image,
        keep=request.keep,
        allow_host_exec=request.allow_host_exec,
    )
    progress = Progress(
        stderr_console(), LiveView(loaded.scenario, plan.faults), folder.redactor.clean
    )

    def listen(recorded: Recorded) -> None:
        progress(recorded)
        events.write(json.dumps(folder.redactor.clean_json(recorded.row())))

    runner = Runner(plan, engine, folder, options, listen)
    progress.watch(runner.counts)
    return runner, folder.path, progress


def _show(run: StoredRun) -> None:
    patiently(lambda: terminal.render(run.result, console(sys.stdout), run.folder))


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
