"""Undoing a run whose process is gone, from its ledger alone, and finishing its folder.

The guard becomes this module when its parent dies; `chaoskit recover` and the next `chaoskit run`
do the same for a run whose guard died as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaoskit.clock import Clock, until
from chaoskit.docker.client import Engine
from chaoskit.docker.compose_cli import PROJECT_VARIABLE
from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, ExitCode, UsageError
from chaoskit.faults import REGISTRY
from chaoskit.judge.result import Leftover, stored_result
from chaoskit.judge.verdict import judge, unjudged
from chaoskit.record.events import (
    FaultHealed,
    HealFailed,
    LeftBehind,
    PhaseEnded,
    PhaseStarted,
    Recorded,
    RecoveryStarted,
    RunEnded,
    RunEndedEarly,
    RunnerStalled,
    RunStarted,
    read_events,
)
from chaoskit.record.folder import RESULT, RunFolder
from chaoskit.record.lock import RunLock, live_owner
from chaoskit.record.reader import RunLog, RunRecord, stored_scenario
from chaoskit.record.writer import Recorder
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import LEDGER, Entry, Ledger, project_of, read_ledger
from chaoskit.recovery.logs import save_logs
from chaoskit.recovery.teardown import (
    gone_with_the_stack,
    recover_command,
    removed,
    write_reports,
)
from chaoskit.secrets import Redactor, passwords_in, secrets_in
from chaoskit.stack.stack import Stack

STACK = "stack"  # the ledger's entry for the run's whole copy of the stack
ENGINE_BACK = 120.0  # seconds the guard waits for an engine that went away
_DYING = 5.0  # seconds a killed owner may take to be gone
_HEAL = 20.0  # seconds for one fault whose stack is removed afterwards anyway
_STRAGGLER = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done about one run: lines for people, and what is still there."""

    run: str
    did: tuple[str, ...]
    left: tuple[Leftover, ...]


class Owned(UsageError):
    """The run belongs to a process that is alive."""


def to_undo(folder: Path) -> list[Entry]:
    """Return what the ledger says must be undone, newest first; a torn last line is left out.

    Raises `StoreFailed` for a ledger of another version.
    """
    project_of(folder / LEDGER)
    return [entry for entry in reversed(read_ledger(folder / LEDGER)) if entry.open]


def described(entry: Entry, project: str) -> str:
    """Say in words what undoing an entry means."""
    if entry.kind == STACK:
        return f"remove the stack `{project}`: its containers, networks and volumes"
    half = "" if entry.done else ", injected half-way perhaps"
    return f"heal fault `{entry.id}` ({entry.kind}{half})"


async def recover(
    path: Path,
    engine: Engine,
    say: Say,
    *,
    by: str,
    dying: float = 0.0,
    engine_back: float = 0.0,
) -> Recovery:
    """Undo everything that is open in a run's ledger, newest first, and finish its folder.

    `dying` is how many seconds its owner may take to be gone, `engine_back` how many an engine that
    is away may take to come back. Running it again does no harm. Raises `Owned` when the run has a
    live owner, `StoreFailed` for an unusable ledger.
    """
    lock = await asyncio.to_thread(RunLock.take, path, within=dying)
    if lock is None and live_owner(path) is not None:
        raise Owned(f"run `{path.name}` goes on: process {live_owner(path)} owns it")
    project = project_of(path / LEDGER)
    events = _events(path)
    left: list[Leftover] = []
    did: list[str] = []

    def note(text: str) -> None:
        did.append(text)
        say(text)

    if project is not None:
        await until(
            lambda: asyncio.to_thread(_kill_stragglers, project),
            met=lambda found: not found,
            within=_STRAGGLER,
            every=0.01,
        )
        await engine.back(engine_back)
        work = _Undoing(path, project, engine, note, lock, engine_back)
        left = await work.everything(by, events)
    if lock is not None:
        _finish_folder(path, events, by, left)
        lock.release(finished=not left)
    return Recovery(path.name, tuple(did), tuple(left))


class _Undoing:
    """One pass over the open entries of a ledger."""

    def __init__(
        self,
        path: Path,
        project: str,
        engine: Engine,
        note: Say,
        lock: RunLock | None,
        engine_back: float,
    ) -> None:
        self._path = path
        self._project = project
        self._engine = engine
        self._note = note
        self._lock = lock
        self._engine_back = engine_back

    async def everything(self, by: str, events: list[Recorded]) -> list[Leftover]:
        """Undo it all; return what could not be undone. `events` are those of the run so far, and
        get what is recorded here."""
        entries = to_undo(self._path)
        owns_stack = any(entry.kind == STACK for entry in entries)
        if not entries:
            return []
        redactor = await _redactor(self._engine, self._project)
        with _run_files(self._path, redactor, self._lock, events) as files:
            files.recorder.emit(RecoveryStarted(by))
            failed = await self._heal([e for e in entries if e.kind != STACK], files, by)
            left: list[Leftover] = []
            if owns_stack:
                if self._lock is not None:
                    with contextlib.suppress(ChaoskitError):
                        await save_logs(self._engine, self._project, files.folder)
                left = await self._remove(files)
            return left + self._outliving(failed, files, stack_gone=owns_stack and not left)

    async def _heal(
        self, entries: Sequence[Entry], files: _RunFiles, by: str
    ) -> list[tuple[Entry, str]]:
        """Heal faults, the newest first; return those that resisted, with the reason."""
        if not entries:
            return []
        failed: list[tuple[Entry, str]] = []
        stack = Stack(self._engine, self._project)
        try:
            with contextlib.suppress(ChaoskitError):
                await stack.attach()
                await stack.find_late_proxies()
            for entry in entries:
                try:
                    detail = await asyncio.wait_for(_healed(entry, stack), _HEAL)
                except (ChaoskitError, TimeoutError) as error:
                    problem = str(error) or f"no end within {_HEAL:.0f} s"
                    failed.append((entry, problem))
                    files.recorder.emit(HealFailed(entry.id, problem, by))
                    continue
                files.ledger.healed(entry.id)
                files.recorder.emit(FaultHealed(entry.id, detail, by))
                self._note(f"healed fault `{entry.id}` ({entry.kind}): {detail}")
        finally:
            await stack.close()
        return failed

    async def _remove(self, files: _RunFiles) -> list[Leftover]:
        files.recorder.emit(PhaseStarted("down"))
        left = await removed(self._engine, self._project, self._engine_back, cut_off=True)
        if not left:
            files.ledger.healed(STACK)
            self._note(f"removed the stack `{self._project}`")
        files.recorder.emit(PhaseEnded("down"))
        return left

    def _outliving(
        self, failed: Sequence[tuple[Entry, str]], files: _RunFiles, *, stack_gone: bool
    ) -> list[Leftover]:
        """Return the faults that are in force although the stack is gone, or because it is not."""
        left = []
        for entry, problem in failed:
            if stack_gone and not _reaches_out(entry, self._path):
                gone_with_the_stack(entry.id, files.ledger, files.recorder)
                self._note(f"fault `{entry.id}` ({entry.kind}) is gone with the stack")
                continue
            what = f"fault `{entry.id}` ({entry.kind}): {problem}"
            left.append(Leftover(what=what, command=recover_command(self._path)))
        return left


async def _healed(entry: Entry, stack: Stack) -> str:
    undo = entry.undo
    kind = REGISTRY.get(entry.kind)
    assert kind is not None, "its undo data has a model"
    return await heal(kind, stack, undo)


def _reaches_out(entry: Entry, path: Path) -> bool:
    """Return whether a fault may have changed what is not removed with the run's stack."""
    try:
        return entry.undo.on_host or bool(stored_scenario(path).stack.shared)
    except ChaoskitError:
        return True


@dataclass(frozen=True, slots=True)
class _RunFiles:
    """The files of a run that go on being written."""

    folder: RunFolder
    ledger: Ledger
    recorder: Recorder


@contextlib.contextmanager
def _run_files(
    path: Path, redactor: Redactor, lock: RunLock | None, events: list[Recorded]
) -> Iterator[_RunFiles]:
    """Open the files of a run with these events, to which what is recorded now is added."""
    folder = RunFolder(path, redactor, lock)
    clock = _clock(events)
    ledger = Ledger(folder, clock, None)
    recorder = Recorder(folder, clock, events.append)
    try:
        yield _RunFiles(folder, ledger, recorder)
    finally:
        recorder.close()
        ledger.close()


def _events(path: Path) -> list[Recorded]:
    """Return the events of a run; none where they cannot be read, which must not stop a heal."""
    try:
        return read_events(path)
    except ChaoskitError:
        return []


def _clock(events: Sequence[Recorded]) -> Clock:
    started = RunLog(events).last(RunStarted)
    return Clock() if started is None else Clock.resumed(started.started_at, started.clock)


async def _redactor(engine: Engine, project: str) -> Redactor:
    """Return what masks the secrets of a stack: its own, as its containers hold them."""
    found: list[Container] = []
    with contextlib.suppress(ChaoskitError):
        found = await engine.containers.of(project)
    secrets = [s for c in found for s in secrets_in(c.environment)]
    secrets += [s for c in found for s in passwords_in(" ".join(c.words))]
    return Redactor(secrets, keep={c.state.service for c in found})


def _finish_folder(path: Path, events: list[Recorded], by: str, left: Sequence[Leftover]) -> None:
    """Write the result, judged from what there is, and its reports, unless they are complete."""
    log = RunLog(events)
    if log.last(RunEnded) is not None and (path / RESULT).exists():
        write_reports(path, stored_result(path))
        return
    with _run_files(path, Redactor(), None, events) as files:
        reason = f"chaoskit was killed {log.moment}; {by} healed what was in force"
        files.recorder.emit(RunEndedEarly(reason, ExitCode.UNKNOWN))
        for one in left:
            files.recorder.emit(LeftBehind(one.what, one.command))
        record = RunRecord.read(path, events)
        try:
            result = judge(stored_scenario(path), record)
        except ChaoskitError:  # killed before there was a scenario in it
            result = unjudged(record)
        files.folder.write(RESULT, result.model_dump_json(indent=2))
    write_reports(path, result)


def _kill_stragglers(project: str) -> list[int]:
    """Kill what the dead process had started on this machine, and return what was still there: its
    `docker compose up` would go on making containers while they are removed."""
    wanted = f"{PROJECT_VARIABLE}={project}".encode()
    found = [pid for pid in _pids() if wanted in _environment(pid)]
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return found


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != os.getpid():
                yield int(path.name)


def _environment(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


# -- as a process of its own: what the guard becomes -------------------------------------------


async def _heal_one(path: Path, fault: str, engine: Engine, say: Say) -> None:
    """Heal one fault whose lease is over while its runner is stuck."""
    project = project_of(path / LEDGER)
    entry = next((e for e in to_undo(path) if e.id == fault), None)
    if project is None or entry is None:
        return
    stack = Stack(engine, project)
    try:
        await stack.attach()
        with contextlib.suppress(ChaoskitError):
            await stack.find_late_proxies()
        detail = await _healed(entry, stack)
    finally:
        await stack.close()
    redactor = await _redactor(engine, project)
    with _run_files(path, redactor, None, _events(path)) as files:
        files.ledger.healed(fault)
        files.recorder.emit(FaultHealed(fault, detail, by="guard"))
        text = f"the run was stuck when the lease of fault `{fault}` ended, so its guard healed it"
        files.recorder.emit(RunnerStalled(text))
    say(text)


async def _as_guard(path: Path, lease: str | None) -> ExitCode:
    def say(text: str) -> None:
        print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}", flush=True)

    try:
        async with Engine.connect(ENGINE_BACK) as engine:
            if lease is not None:
                await _heal_one(path, lease, engine, say)
                return ExitCode.PASSED
            say("the run's process is gone")
            done = await recover(
                path, engine, say, by="the guard", dying=_DYING, engine_back=ENGINE_BACK
            )
    except ChaoskitError as error:
        say(error.message)
        return error.exit_code
    for thing in done.left:
        say(f"left behind: {thing.what}; remove it with `{thing.command}`")
    return ExitCode.LEFT_BEHIND if done.left else ExitCode.PASSED


def main() -> ExitCode:
    """Heal one run, or with `--lease FAULT` one fault of it; return the exit code."""
    path = Path(sys.argv[1])
    lease = sys.argv[3] if sys.argv[2:3] == ["--lease"] else None
    return asyncio.run(_as_guard(path, lease))


if __name__ == "__main__":
    sys.exit(main())
