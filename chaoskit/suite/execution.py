"""One scenario of a suite, from its loaded file to its result."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from chaoskit import __version__
from chaoskit.docker import compose_cli
from chaoskit.docker.client import Engine
from chaoskit.docker.images import toxiproxy_image
from chaoskit.errors import (
    ChaoskitError,
    ExitCode,
    Problem,
    ScenarioInvalid,
    StoreFailed,
    UsageError,
)
from chaoskit.fields import Target
from chaoskit.judge.result import Result, RunInfo, StackResult
from chaoskit.plan.plan import Plan, make_plan
from chaoskit.plan.refusals import refuse
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Listener, LiveCounts
from chaoskit.records import Evidence, Verdict
from chaoskit.recovery.teardown import write_reports
from chaoskit.run.kept import Shelf
from chaoskit.run.runner import Options, Runner, prepare_folder
from chaoskit.run.signals import Signals
from chaoskit.scenario.loading import Loaded
from chaoskit.suite.warm import fresh


@dataclass(frozen=True, slots=True)
class Settings:
    """How scenarios are run, whichever they are."""

    runs_dir: Path
    seed: int | None = None
    only_faults: tuple[str, ...] = ()
    keep: bool = False
    allow_host_exec: bool = False
    warm: bool = False  # scenarios that do not say what must be new share stacks
    silent: bool = False  # about signals: whoever started this process says it


@dataclass(frozen=True, slots=True)
class Ended:
    """How a scenario ended. Without a `folder` it never began to run: its result says why, `placed`
    that the reason begins with its place in a file.

    `unreported` says why its reports could not be written.
    """

    result: Result
    folder: Path | None = None
    hint: str | None = None
    unreported: str | None = None
    placed: bool = False

    @property
    def code(self) -> ExitCode:
        if self.unreported is not None:
            return ExitCode.ENVIRONMENT
        return ExitCode(self.result.exit_code)


class Audience(Protocol):
    """Whoever watches a scenario while it is run."""

    def warn(self, warnings: Iterable[Problem]) -> None:
        """Hear what makes it prove little."""

    def note(self, text: str) -> None:
        """Hear what went wrong beside the run, for a person."""

    def begin(self, plan: Plan, folder: RunFolder) -> Listener:
        """Hear that it is about to begin; return what is told every event."""

    def watch(self, counts: LiveCounts) -> None:
        """Hear that it begins, and where its probes and workloads are counted."""

    def end(self) -> None:
        """Hear that no event follows."""


class Interrupted(Exception):
    """A signal came before anything was started."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(str(code))
        self.code = code


def refuse_host_commands(scenarios: Sequence[Loaded], only: Sequence[str]) -> None:
    """A scenario may come from anywhere: what it runs on this machine must be allowed by hand.

    Raises `UsageError`.
    """
    for one in scenarios:
        for fault in one.scenario.timeline.faults:
            if fault.runs_on_host and (not only or fault.name in only):
                raise UsageError(
                    f"fault `{fault.name}` of `{one.path}` runs commands on this machine",
                    hint="read them, then add `--allow-host-exec`",
                )


def run_scenario(
    loaded: Loaded,
    settings: Settings,
    audience: Audience,
    shelf: Shelf,
    also: Sequence[Target] = (),
) -> Ended:
    """Run a scenario in an event loop of its own; what keeps it from running is its result too.

    Stacks that may be shared come from the shelf and go there; what is `also` to be reached in them
    is for other scenarios.

    Raises `Interrupted` for a signal before it began.
    """
    audience.warn(loaded.warnings())
    try:
        result, folder, observed = asyncio.run(_run(loaded, settings, audience, shelf, also))
    except ChaoskitError as error:
        return not_run(loaded, settings, error)
    try:
        write_reports(folder, result, audience.note, observed)
    except StoreFailed as error:  # such as a full disk: other scenarios go on
        return Ended(result, folder, unreported=error.message)
    return Ended(result, folder)


async def _run(
    loaded: Loaded,
    settings: Settings,
    audience: Audience,
    shelf: Shelf,
    also: Sequence[Target],
) -> tuple[Result, Path, Evidence | None]:
    async with contextlib.AsyncExitStack() as connection:
        preparing = asyncio.create_task(
            _prepared(loaded, settings, audience, connection, shelf, also)
        )
        interrupt: Callable[[], object] = preparing.cancel
        with Signals(lambda: interrupt(), silent=settings.silent) as signals:
            try:
                runner, folder = await preparing
            except asyncio.CancelledError:
                raise Interrupted(signals.exit_code or ExitCode.INTERRUPTED) from None
            interrupt = runner.interrupt
            try:
                return await runner.execute(signals), folder, runner.observed
            finally:
                audience.end()


async def _prepared(
    loaded: Loaded,
    settings: Settings,
    audience: Audience,
    connection: contextlib.AsyncExitStack,
    shelf: Shelf,
    also: Sequence[Target],
) -> tuple[Runner, Path]:
    """Check engine, images and stack, and make the run folder; nothing is started yet.

    `connection` will hold the one to the engine, for as long as the run.
    """
    engine = await connection.enter_async_context(Engine.connect())
    image = await toxiproxy_image(engine.images)
    token = secrets.token_hex(3)
    name = loaded.scenario.name.lower().replace(".", "-")[:24].strip("-_")

    async def planned(project: str) -> Plan:
        return await make_plan(
            loaded,
            run_project=project,
            engine=engine,
            only_faults=settings.only_faults,
            also=also,
        )

    new = fresh(loaded, warm=settings.warm)
    plan = None
    if shelf.stack is not None and new != "always":
        plan = await planned(shelf.stack.project)
        plan = plan if shelf.stack.fits(plan, image) else None
    if plan is None:
        await shelf.clear(engine)
        plan = await planned(f"ck-{name}-{token}")
    await compose_cli.version()
    audience.warn(plan.warnings)
    await refuse(plan, engine)
    folder = prepare_folder(plan, settings.runs_dir, token)
    seed = settings.seed if settings.seed is not None else loaded.scenario.seed
    if seed is None:
        seed = secrets.randbelow(1_000_000)
    options = Options(
        seed=seed,
        command=_again(loaded, settings, seed),
        image=image,
        keep=settings.keep,
        allow_host_exec=settings.allow_host_exec,
        as_it_is=new == "never",
    )
    shared = new != "always" and not plan.alone and not settings.keep
    listener = audience.begin(plan, folder)
    runner = Runner(plan, engine, folder, options, listener, shelf if shared else None)
    audience.watch(runner.counts)
    return runner, folder.path


def _again(loaded: Loaded, settings: Settings, seed: int | None) -> str:
    """Return the command that runs a scenario again."""
    words = ["chaoskit", "run", str(loaded.path)]
    words += [] if seed is None else ["--seed", str(seed)]
    for fault in settings.only_faults:
        words += ["--only-fault", fault]
    if settings.allow_host_exec:
        words.append("--allow-host-exec")
    return shlex.join(words)


def not_run(loaded: Loaded, settings: Settings, error: ChaoskitError) -> Ended:
    """Return how a scenario ended that could not be run: a report without it would be green."""
    result = Result(
        run=RunInfo(
            id="",
            scenario=loaded.scenario.name,
            scenario_file=str(loaded.path),
            description=loaded.scenario.description,
            tags=loaded.scenario.tags,
            seed=settings.seed or loaded.scenario.seed or 0,
            started_at=datetime.now(UTC),
            duration=0.0,
            versions={"chaoskit": __version__},
            command=_again(loaded, settings, settings.seed),
        ),
        verdict=Verdict.UNKNOWN,
        exit_code=error.exit_code,
        reason=error.message,
        stack=StackResult(project=""),
    )
    return Ended(result, hint=error.hint, placed=isinstance(error, ScenarioInvalid))
