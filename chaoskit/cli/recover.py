"""`chaoskit recover`: undo what a killed run left, from its ledger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from chaoskit.cli.output import say, tell
from chaoskit.docker.client import Engine
from chaoskit.docker.labels import FOLDER_LABEL, PROJECT_LABEL
from chaoskit.errors import ChaoskitError, ExitCode, UsageError
from chaoskit.judge.result import Leftover
from chaoskit.record.folder import find_run
from chaoskit.record.lock import live_owner, unfinished
from chaoskit.recovery.ledger import Entry
from chaoskit.recovery.recover import Recovery, described, recover, to_undo
from chaoskit.recovery.teardown import down_command
from chaoskit.recovery.trust import trusted


@dataclass(frozen=True, slots=True)
class RecoverRequest:
    """What the command line asks for; without `run`, every run that was killed is meant."""

    run: str | None
    runs_dir: Path
    all_of_them: bool
    dry_run: bool
    allow_host_exec: bool


def recover_runs(request: RecoverRequest) -> ExitCode:
    """Recover one run or all that are unfinished; return 0, 6 when something is left, or 4 for a
    run that is not trusted."""
    if request.run is not None and request.all_of_them:
        raise UsageError("name a run or say --all, not both")
    return asyncio.run(_recover_runs(request))


async def _recover_runs(request: RecoverRequest) -> ExitCode:
    run, runs = request.run, request.runs_dir
    named = run is not None
    async with Engine.connect() as engine:
        folders = [find_run(runs, run)] if run is not None else await _abandoned(engine, runs)
        if not folders:
            say("nothing to recover")
            return ExitCode.PASSED
        if request.dry_run or not (named or request.all_of_them):
            for folder in folders:
                await _show(folder, engine, named=named)
            if not request.dry_run:
                say("recover one by its name, or `chaoskit recover --all`")
            return ExitCode.PASSED
        allowed = request.allow_host_exec
        return max([await _recovered(f, engine, sys.stdout, allowed, named) for f in folders])


def recover_before_run(runs: Path, *, allow_host_exec: bool) -> None:
    """Recover what killed runs left in a runs directory, and say so, before anything is started.

    One that cannot be recovered is named, and stops neither the others nor the run.
    """
    folders = [folder for folder in unfinished(runs) if live_owner(folder) is None]
    if folders:
        asyncio.run(_recover_before_run(folders, allow_host_exec))


async def _recover_before_run(folders: Sequence[Path], allow_host_exec: bool) -> None:
    async with Engine.connect() as engine:
        for folder in folders:
            tell("recovering a run that was killed:")
            await _recovered(folder, engine, sys.stderr, allow_host_exec)


async def _abandoned(engine: Engine, runs: Path) -> list[Path]:
    """Return the folders of unfinished runs without a live owner: those of the runs directory, and
    those that labels of containers, networks and volumes name elsewhere."""
    labelled = await engine.cleanup.label_values(FOLDER_LABEL)
    elsewhere = [Path(folder) for folder in labelled]
    found = dict.fromkeys([path.resolve() for path in unfinished(runs)] + elsewhere)
    return [
        path
        for path in found
        if live_owner(path) is None and not any(entry.kept for entry in _entries(path))
    ]


def _entries(folder: Path) -> Sequence[Entry]:
    try:
        return to_undo(folder)
    except ChaoskitError:  # said when it is its turn
        return ()


async def _show(folder: Path, engine: Engine, *, named: bool) -> None:
    owner = live_owner(folder)
    if owner is not None:
        say(f"{folder}: goes on, process {owner} owns it")
        return
    say(f"{folder}:")
    if not await asyncio.to_thread(folder.is_dir):
        _name(await orphans(folder, engine))
        return
    try:
        opening = trusted(folder, named=named)
        if opening is not None:
            for entry in to_undo(folder):
                say(f"  would {described(entry, opening.project)}")
    except ChaoskitError as error:
        say(f"  {error.message}" + (f"; {error.hint}" if error.hint else ""))


async def _recovered(
    folder: Path, engine: Engine, out: TextIO, allow_host_exec: bool, named: bool = False
) -> ExitCode:
    """Recover one run, saying what was done or why not; return its exit code."""

    def note(text: str) -> None:
        say(f"  {text}", out)

    say(f"{folder}:", out)
    if not await asyncio.to_thread(folder.is_dir):
        note("its run folder is gone, and the ledger with it: nothing says who owns it")
        _name(await orphans(folder, engine))
        return ExitCode.LEFT_BEHIND
    try:
        done: Recovery = await recover(
            folder,
            engine,
            note,
            by="`chaoskit recover`",
            named=named,
            allow_host_exec=allow_host_exec,
        )
    except ChaoskitError as error:
        note(error.message + (f"; {error.hint}" if error.hint else ""))
        return error.exit_code
    _name(done.left)
    if not done.did and not done.left:
        note("nothing was left to undo")
    return ExitCode.LEFT_BEHIND if done.left else ExitCode.PASSED


def _name(left: Sequence[Leftover]) -> None:
    for thing in left:
        tell(f"  left behind: {thing.what}")
        tell(f"    remove it with: {thing.command}")


async def orphans(folder: Path, engine: Engine) -> list[Leftover]:
    """Return what is left of a run whose folder is gone, found by labels, and what removes it.

    The run may be alive where its folder is visible, so nothing is removed here.
    """
    projects = await engine.cleanup.label_values(PROJECT_LABEL, f"{FOLDER_LABEL}={folder}")
    return [Leftover(what=f"the stack `{p}`", command=down_command(p)) for p in projects]
