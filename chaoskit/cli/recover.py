"""`chaoskit recover`: undo what a killed run left, from its ledger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from chaoskit.docker.client import Engine
from chaoskit.docker.labels import FOLDER_LABEL, PROJECT_LABEL
from chaoskit.errors import ChaoskitError, ExitCode, UsageError
from chaoskit.judge.result import Leftover
from chaoskit.record.folder import find_run
from chaoskit.record.lock import live_owner, unfinished
from chaoskit.recovery.ledger import LEDGER, Entry, project_of
from chaoskit.recovery.recover import Owned, Recovery, described, recover, to_undo
from chaoskit.recovery.teardown import down_command


def recover_runs(run: str | None, runs: Path, *, all_of_them: bool, dry_run: bool) -> ExitCode:
    """Recover one run or all that are unfinished; return 0, or 6 when something is left."""
    if run is not None and all_of_them:
        raise UsageError("name a run or say --all, not both")
    return asyncio.run(_recover_runs(run, runs, all_of_them=all_of_them, dry_run=dry_run))


async def _recover_runs(
    run: str | None, runs: Path, *, all_of_them: bool, dry_run: bool
) -> ExitCode:
    async with Engine.connect() as engine:
        folders = [find_run(runs, run)] if run is not None else await _abandoned(engine, runs)
        if not folders:
            print("nothing to recover")
            return ExitCode.PASSED
        if dry_run or (run is None and not all_of_them):
            for folder in folders:
                await _show(folder, engine)
            if not dry_run:
                print("recover one by its name, or `chaoskit recover --all`")
            return ExitCode.PASSED
        return max([await _recovered(folder, engine, sys.stdout) for folder in folders])


def recover_before_run(runs: Path) -> None:
    """Recover what killed runs left in a runs directory, and say so, before anything is started."""
    folders = [folder for folder in unfinished(runs) if live_owner(folder) is None]
    if folders:
        asyncio.run(_recover_before_run(folders))


async def _recover_before_run(folders: Sequence[Path]) -> None:
    async with Engine.connect() as engine:
        for folder in folders:
            print("recovering a run that was killed:", file=sys.stderr)
            await _recovered(folder, engine, sys.stderr)


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


async def _show(folder: Path, engine: Engine) -> None:
    owner = live_owner(folder)
    if owner is not None:
        print(f"{folder}: goes on, process {owner} owns it")
        return
    project = project_of(folder / LEDGER)
    print(f"{folder}:", flush=True)
    if not await asyncio.to_thread(folder.is_dir):
        _name(await orphans(folder, engine))
    for entry in to_undo(folder) if project is not None else ():
        print(f"  would {described(entry, str(project))}")


async def _recovered(folder: Path, engine: Engine, out: TextIO) -> ExitCode:
    """Recover one run, saying what was done; return its exit code."""

    def say(text: str) -> None:
        print(f"  {text}", file=out, flush=True)

    print(f"{folder}:", file=out, flush=True)
    if not await asyncio.to_thread(folder.is_dir):
        say("its run folder is gone, and the ledger with it: nothing says who owns it")
        _name(await orphans(folder, engine))
        return ExitCode.LEFT_BEHIND
    try:
        done: Recovery = await recover(folder, engine, say, by="`chaoskit recover`")
    except Owned as error:
        say(error.message)
        return error.exit_code
    _name(done.left)
    if not done.did and not done.left:
        say("nothing was left to undo")
    return ExitCode.LEFT_BEHIND if done.left else ExitCode.PASSED


def _name(left: Sequence[Leftover]) -> None:
    for thing in left:
        print(f"  left behind: {thing.what}", file=sys.stderr)
        print(f"    remove it with: {thing.command}", file=sys.stderr)


async def orphans(folder: Path, engine: Engine) -> list[Leftover]:
    """Return what is left of a run whose folder is gone, found by labels, and what removes it.

    The run may be alive where its folder is visible, so nothing is removed here.
    """
    projects = await engine.cleanup.label_values(PROJECT_LABEL, f"{FOLDER_LABEL}={folder}")
    return [Leftover(what=f"the stack `{p}`", command=down_command(p)) for p in projects]
