"""Running the scenarios of a suite side by side, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from chaoskit.errors import ChaoskitError, ExitCode
from chaoskit.judge.result import Result
from chaoskit.record.events import Recorded, from_row
from chaoskit.run.signals import HANDLED, Signals
from chaoskit.scenario.loading import Loaded
from chaoskit.suite.execution import Ended, Settings, not_run
from chaoskit.suite.warm import Waiting, group_of, targets_of
from chaoskit.suite.worker import job_of
from chaoskit.text import count

_EACH = 1024**3  # bytes of memory that a stack and what runs it are thought to take
_LONGEST = 64 * 1024**2  # bytes of one line: a result with many witnesses
_LEAVING = 60.0  # seconds a process may take to remove the stack that it keeps


class Crashed(ChaoskitError):
    """The process of a scenario ended before the scenario did."""


class Watcher(Protocol):
    """Whoever watches a suite that runs several scenarios at once; numbers count its jobs."""

    def began(self, number: int, loaded: Loaded) -> None:
        """Hear that a scenario is prepared."""

    def warned(self, text: str) -> None:
        """Hear what makes a scenario prove little."""

    def heard(self, number: int, recorded: Recorded) -> None:
        """Hear an event of a run."""

    def ended(self, number: int, ended: Ended) -> bool:
        """Hear how a scenario ended; return whether others may begin."""


def bounded(asked: int) -> tuple[int, str | None]:
    """Return how many scenarios this machine runs at once, and why not as many as asked for."""
    most = os.cpu_count() or 1  # with twice as many, workloads fall behind and faults come late
    if asked > most:
        why = f"this machine has {count(most, 'processor')}"
        return most, f"`--parallel {asked}` becomes {most}: {why}"
    free = _available_memory()
    if free is not None and asked > max(1, free // _EACH):
        most = max(1, free // _EACH)
        return most, (
            f"`--parallel {asked}` becomes {most}: {free / _EACH:.1f} GiB of memory are free, and a"
            " stack is thought to take one"
        )
    return asked, None


def _available_memory() -> int | None:
    """Return how many bytes are free, None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        row = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(row.split()[1]) * 1024
    return None


@dataclass
class Outcome:
    """What became of a suite: how scenarios ended, in this order, and which never began."""

    ended: list[Ended] = field(default_factory=list)
    left: list[Loaded] = field(default_factory=list)
    signal: ExitCode | None = None
    left_behind: bool = False  # a stack that was kept between scenarios


def run_side_by_side(
    scenarios: Sequence[Loaded], settings: Settings, at_once: int, watcher: Watcher
) -> Outcome:
    """Run scenarios, so many at once; signals go on to every one that runs."""
    return asyncio.run(_Pool(scenarios, settings, watcher).run(at_once))


class _Pool:
    def __init__(self, scenarios: Sequence[Loaded], settings: Settings, watcher: Watcher) -> None:
        self._settings = settings
        self._watcher = watcher
        self._scenarios = scenarios
        self._waiting = Waiting(scenarios, warm=settings.warm)
        self._left_behind = False
        self._processes: list[Process] = []
        self._ended: dict[int, Ended] = {}
        self._going_on = True

    async def run(self, at_once: int) -> Outcome:
        with Signals(self._stop, relay=self._relay) as signals:
            signals.last_words = "the guard of each run goes on healing"
            async with asyncio.TaskGroup() as group:
                for _ in range(min(at_once, len(self._scenarios))):
                    group.create_task(self._one_process())
        ended = [self._ended[number] for number in sorted(self._ended)]
        left = [self._scenarios[number] for number in self._waiting.left]
        return Outcome(ended, left, signals.exit_code, self._left_behind)

    def _stop(self) -> None:
        self._going_on = False

    def _relay(self, sign: signal.Signals) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)

    async def _one_process(self) -> None:
        """Keep one process busy; a new one takes over where it died."""
        process: Process | None = None
        number: int | None = None
        while self._going_on and self._waiting:
            number = self._waiting.take(number)
            loaded = self._scenarios[number]
            if process is None:
                process = await self._started()
                if not self._going_on:  # a signal came meanwhile, and did not reach it
                    self._waiting.back(number)
                    break
            self._watcher.began(number, loaded)
            ended = await self._ran(process, number, loaded)
            if ended is None:  # a signal came before it began
                self._waiting.back(number)
            else:
                self._waiting.ended(number)
                self._ended[number] = ended
                self._going_on = self._watcher.ended(number, ended) and self._going_on
            if process.returncode is not None:
                self._processes.remove(process)
                process = None
        if process is not None:
            await self._dismissed(process)

    async def _started(self) -> Process:
        # The process inherits that; it is made before anything else, another start, goes on here.
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing of the current directory is imported
                "-m",
                "chaoskit.suite.worker",
                stdin=PIPE,
                stdout=PIPE,
                limit=_LONGEST,
                start_new_session=True,  # signals of the terminal come from here, each once
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        self._processes.append(process)
        return process

    async def _ran(self, process: Process, number: int, loaded: Loaded) -> Ended | None:
        """Have a process run a scenario; return how it ended, None if it never began."""
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            warm = self._settings.warm
            also = targets_of(self._scenarios, group_of(loaded, warm=warm), warm=warm)
            job = job_of(loaded.path, replace(self._settings, silent=True), also)
            process.stdin.write(job.encode() + b"\n")
            await process.stdin.drain()
        async for line in process.stdout:
            ((kind, content),) = json.loads(line).items()
            match kind:
                case "event":
                    if (recorded := from_row(content)) is not None:
                        self._watcher.heard(number, recorded)
                case "warning":
                    self._watcher.warned(content)
                case "interrupted":
                    return None
                case _:
                    return self._understood(kind, content, loaded)
        code = await process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        error = Crashed(
            f"the process that ran it {how}",
            hint="its guard heals and removes the stack",
        )
        return not_run(loaded, self._settings, error)

    def _understood(self, kind: str, content: Any, loaded: Loaded) -> Ended:
        if kind == "ended":
            folder = content["folder"]
            result = Result.model_validate(content["result"])
            path = None if folder is None else Path(folder)
            return Ended(result, path, content["hint"], content["unreported"], content["placed"])
        if kind == "refused":
            error = ChaoskitError(content["message"], hint=content["hint"])
            error.exit_code = ExitCode(content["code"])
        else:
            error = Crashed(f"internal error: {content}", hint="please report what is above")
        return not_run(loaded, self._settings, error)

    async def _dismissed(self, process: Process) -> None:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            left_behind = await asyncio.wait_for(process.wait(), _LEAVING)
            self._left_behind = self._left_behind or left_behind == ExitCode.LEFT_BEHIND
        self._processes.remove(process)
