"""A process that runs scenarios one after another for a suite that runs several at once.

It reads a job a line on stdin, and writes what happens a line on stdout. Timers of one run must not
wait for another run's work, so each has a process of its own. When the suite's process dies, stdin
ends: the run is cut off as by SIGTERM, healed and removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaoskit.errors import ChaoskitError, ExitCode, Problem
from chaoskit.fields import Target
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Recorded
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Listener, LiveCounts
from chaoskit.run.kept import Shelf
from chaoskit.run.signals import HANDLED
from chaoskit.scenario.loading import load
from chaoskit.suite.execution import Interrupted, Settings, run_scenario
from chaoskit.suite.warm import cleared

_STDIN = 0


def job_of(path: Path, settings: Settings, also: Sequence[Target] = ()) -> str:
    """Return the line that has a worker run a scenario."""
    job = {
        "path": str(path),
        "settings": asdict(settings),
        "also": [[target.service, target.port, target.protocol] for target in also],
    }
    return json.dumps(job, default=str)


def settings_of(written: dict[str, Any]) -> Settings:
    """Return the settings of a job."""
    changed = {
        "runs_dir": Path(written["runs_dir"]),
        "only_faults": tuple(written["only_faults"]),
    }
    return Settings(**{**written, **changed})


def _tell(kind: str, content: object) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more: the run is cut off by its stdin
        print(json.dumps({kind: content}, default=str), flush=True)


class _Told:
    """Tells the suite's process what happens."""

    def warn(self, warnings: Iterable[Problem]) -> None:
        for warning in warnings:
            _tell("warning", warning.render())

    def note(self, text: str) -> None:
        _tell("warning", text)

    def begin(self, plan: Plan, folder: RunFolder) -> Listener:
        asyncio.get_running_loop().add_reader(_STDIN, self._cut_off)

        def listen(recorded: Recorded) -> None:
            _tell("event", folder.redactor.clean_json(recorded.row()))

        return listen

    def watch(self, counts: LiveCounts) -> None:
        """Counts stay here."""

    def end(self) -> None:
        asyncio.get_running_loop().remove_reader(_STDIN)

    def _cut_off(self) -> None:
        """No job comes while one goes on: stdin can only have ended."""
        asyncio.get_running_loop().remove_reader(_STDIN)
        os.kill(os.getpid(), signal.SIGTERM)


def _run(job: dict[str, Any], shelf: Shelf) -> None:
    try:
        loaded = load(Path(job["path"]), os.environ)
        also = [Target(*target) for target in job["also"]]
        ended = run_scenario(loaded, settings_of(job["settings"]), _Told(), shelf, also)
    except Interrupted as interrupted:
        _tell("interrupted", interrupted.code)
    except ChaoskitError as error:  # the file was changed meanwhile
        _tell("refused", {"message": error.message, "hint": error.hint, "code": error.exit_code})
    except Exception as error:  # noqa: BLE001  # the suite says it, and other scenarios go on
        traceback.print_exc()
        _tell("crashed", f"{type(error).__name__}: {error}")
    else:
        content = {
            "result": ended.result.model_dump(mode="json"),
            "folder": None if ended.folder is None else str(ended.folder),
            "hint": ended.hint,
            "unreported": ended.unreported,
            "placed": ended.placed,
        }
        _tell("ended", content)


def main() -> ExitCode:
    """Run jobs until there are no more, and remove what is still up."""
    shelf = Shelf()
    # Unbuffered: a byte that Python read ahead would hide from the loop that stdin ended.
    with open(_STDIN, "rb", buffering=0, closefd=False) as lines:
        while line := lines.readline():
            _run(json.loads(line), shelf)
    for one in cleared(shelf):
        print(f"left behind: {one.what}; remove it with `{one.command}`", file=sys.stderr)
    return ExitCode.LEFT_BEHIND if shelf.left else ExitCode.PASSED


if __name__ == "__main__":
    # Between two runs no signal ends it: its stdin does, and the stack that is kept goes first. One
    # that comes before a run waits, and cuts that run off.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    sys.exit(main())
