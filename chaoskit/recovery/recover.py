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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from chaoskit.clock import Clock, until
from chaoskit.docker.client import Engine
from chaoskit.docker.compose_cli import PROJECT_VARIABLE
from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, ExitCode, FaultFailed, UsageError
from chaoskit.faults import REGISTRY
from chaoskit.judge.result import Leftover, Result, RunInfo, StackResult
from chaoskit.judge.stored import run_started, stored_context, stored_scenario
from chaoskit.judge.verdict import RunContext, judge, with_leftovers
from chaoskit.record.folder import RESULT, RunFolder, read_ndjson
from chaoskit.record.lock import RunLock, live_owner
from chaoskit.record.reader import read_run_log
from chaoskit.record.writer import EVENTS, Recorder
from chaoskit.records import Verdict
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import LEDGER, Entry, Ledger, project_of, read_ledger
from chaoskit.recovery.teardown import (
    gone_with_the_stack,
    recover_command,
    removed,
    save_logs,
    write_reports,
)
from chaoskit.secrets import Redactor, passwords_in, secrets_in
from chaoskit.stack.stack import Stack

STACK = "stack"  # the ledger's entry for the run's whole copy of the stack
GUARD_PATIENCE = 120.0  # seconds the guard waits for an engine that went away
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
    patience: float = 0.0,
) -> Recovery:
    """Undo everything that is open in a run's ledger, newest first, and finish its folder.

    `dying` is how many seconds its owner may take to be gone, `patience` how many an engine that is
    away may take to come back. Running it again does no harm. Raises `Owned` when the run has a
    live owner, `StoreFailed` for an unusable ledger.
    """
    lock = RunLock.take(path, within=dying)
    if lock is None and live_owner(path) is not None:
        raise Owned(f"run `{path.name}` goes on: process {live_owner(path)} owns it")
    project = project_of(path / LEDGER)
    moment = _moment(path)
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
        await engine.back(patience)
        work = _Undoing(path, project, engine, note, lock, patience)
        left = await work.everything(by)
    if lock is not None:
        _finish_folder(path, f"chaoskit was killed {moment}; {by} healed what was in force", left)
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
        patience: float,
    ) -> None:
        self._path = path
        self._project = project
        self._engine = engine
        self._note = note
        self._lock = lock
        self._patience = patience

    async def everything(self, by: str) -> list[Leftover]:
        """Undo it all; return what could not be undone."""
        entries = to_undo(self._path)
        owns_stack = any(entry.kind == STACK for entry in entries)
        if not entries:
            return []
        with _run_files(
            self._path, await _redactor(self._engine, self._project), self._lock
        ) as books:
            books.recorder.event("recovery_started", by=by)
            failed = await self._heal([e for e in entries if e.kind != STACK], books)
            left: list[Leftover] = []
            if owns_stack:
                if self._lock is not None:
                    with contextlib.suppress(ChaoskitError):
                        await save_logs(self._engine, self._project, books.folder)
                left = await self._remove(books)
            return left + self._outliving(failed, books, stack_gone=owns_stack and not left)

    async def _heal(self, entries: Sequence[Entry], books: _RunFiles) -> list[tuple[Entry, str]]:
        """Heal faults, the newest first; return those that resisted, with the reason."""
        if not entries:
            return []
        failed: list[tuple[Entry, str]] = []
        stack = Stack(self._engine, self._project)
        try:
            with contextlib.suppress(ChaoskitError):
                await stack.attach()
            for entry in entries:
                try:
                    detail = await asyncio.wait_for(_healed(entry, stack), _HEAL)
                except (ChaoskitError, TimeoutError) as error:
                    problem = str(error) or f"no end within {_HEAL:.0f} s"
                    failed.append((entry, problem))
                    books.recorder.event("heal_failed", id=entry.id, reason=problem)
                    continue
                books.ledger.healed(entry.id)
                books.recorder.event("fault_healed", id=entry.id, detail=detail)
                self._note(f"healed fault `{entry.id}` ({entry.kind}): {detail}")
        finally:
            await stack.close()
        return failed

    async def _remove(self, books: _RunFiles) -> list[Leftover]:
        books.recorder.event("phase_started", phase="down")
        left = await removed(self._engine, self._project, self._patience, cut_off=True)
        if not left:
            books.ledger.healed(STACK)
            self._note(f"removed the stack `{self._project}`")
        books.recorder.event("phase_ended", phase="down")
        return left

    def _outliving(
        self, failed: Sequence[tuple[Entry, str]], books: _RunFiles, *, stack_gone: bool
    ) -> list[Leftover]:
        """Return the faults that are in force although the stack is gone, or because it is not."""
        left = []
        for entry, problem in failed:
            if stack_gone and not _reaches_out(entry, self._path):
                gone_with_the_stack(entry.id, books.ledger, books.recorder)
                self._note(f"fault `{entry.id}` ({entry.kind}) is gone with the stack")
                continue
            what = f"fault `{entry.id}` ({entry.kind}): {problem}"
            left.append(Leftover(what=what, command=recover_command(self._path)))
        return left


async def _healed(entry: Entry, stack: Stack) -> str:
    kind = REGISTRY.get(entry.kind)
    if kind is None:
        raise FaultFailed(f"this chaoskit knows no fault `{entry.kind}`")
    return await heal(kind, stack, entry.undo)


def _reaches_out(entry: Entry, path: Path) -> bool:
    """Whether a fault may have changed what is not removed with the run's copy of the stack."""
    if not entry.undo.get("service", True):  # commands on the host
        return True
    try:
        return bool(stored_scenario(path).stack.shared)
    except ChaoskitError:
        return True


@dataclass(frozen=True, slots=True)
class _RunFiles:
    """The files of a run that go on being written."""

    folder: RunFolder
    ledger: Ledger
    recorder: Recorder


@contextlib.contextmanager
def _run_files(path: Path, redactor: Redactor, lock: RunLock | None) -> Iterator[_RunFiles]:
    folder = RunFolder(path, redactor, lock)
    clock = _clock(path)
    ledger = Ledger(folder, clock, None)
    recorder = Recorder(folder, clock, lambda _row: None)
    try:
        yield _RunFiles(folder, ledger, recorder)
    finally:
        recorder.close()
        ledger.close()


def _clock(path: Path) -> Clock:
    row = run_started(path)
    if "clock" not in row:
        return Clock()
    return Clock.resumed(datetime.fromisoformat(str(row["started_at"])), str(row["clock"]))


async def _redactor(engine: Engine, project: str) -> Redactor:
    """Return what masks the secrets of a stack: its own, as its containers hold them."""
    found: list[Container] = []
    with contextlib.suppress(ChaoskitError):
        found = await engine.containers.of(project)
    secrets = [s for c in found for s in secrets_in(c.environment)]
    secrets += [s for c in found for s in passwords_in(" ".join(c.words))]
    return Redactor(secrets, keep={c.state.service for c in found})


def _moment(path: Path) -> str:
    """Say in words how far a run got."""
    phases = read_run_log(path).phases
    if not phases:
        return "before it began"
    return f"{'in' if phases[-1].end is None else 'after'} the {phases[-1].name} phase"


def _finish_folder(path: Path, reason: str, left: Sequence[Leftover]) -> None:
    """Write the result, judged from what there is, and its reports, unless they are complete."""
    rows = read_ndjson(path / EVENTS)
    if any(row.get("event") == "run_ended" for row in rows) and (path / RESULT).exists():
        result = Result.model_validate_json((path / RESULT).read_text(encoding="utf-8"))
    else:
        context = replace(stored_context(path), ended_early=reason, exit_code=ExitCode.UNKNOWN)
        try:
            result = judge(stored_scenario(path), path, context)
        except ChaoskitError:  # killed before there was a scenario in it
            result = _unjudged(path, context)
        result = with_leftovers(result, left, path)
        folder = RunFolder(path, Redactor(), None)
        folder.write(RESULT, result.model_dump_json(indent=2))
    write_reports(path, result)


def _unjudged(path: Path, context: RunContext) -> Result:
    return Result(
        run=RunInfo(
            id=path.name,
            scenario=path.name,
            scenario_file=context.scenario_file,
            seed=context.seed,
            started_at=datetime.now(UTC),
            duration=0.0,
            command=context.command,
        ),
        verdict=Verdict.UNKNOWN,
        exit_code=ExitCode.UNKNOWN,
        reason=context.ended_early,
        stack=StackResult(project=context.project),
    )


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
        detail = await _healed(entry, stack)
    finally:
        await stack.close()
    with _run_files(path, await _redactor(engine, project), None) as books:
        books.ledger.healed(fault)
        books.recorder.event("fault_healed", id=fault, detail=detail, by="guard")
        text = f"the run was stuck when the lease of fault `{fault}` ended, so its guard healed it"
        books.recorder.event("stuck", text=text)
    say(text)


async def _as_guard(path: Path, lease: str | None) -> ExitCode:
    def say(text: str) -> None:
        print(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}", flush=True)

    async def connected() -> Engine | ChaoskitError:
        try:
            return await asyncio.to_thread(Engine)
        except ChaoskitError as error:
            return error

    engine = await until(
        connected, met=lambda made: isinstance(made, Engine), within=GUARD_PATIENCE, every=0.5
    )
    if isinstance(engine, ChaoskitError):
        say(engine.message)
        return engine.exit_code
    try:
        if lease is not None:
            await _heal_one(path, lease, engine, say)
            return ExitCode.PASSED
        say("the run's process is gone")
        done = await recover(
            path, engine, say, by="the guard", dying=_DYING, patience=GUARD_PATIENCE
        )
    except ChaoskitError as error:
        say(error.message)
        return error.exit_code
    finally:
        engine.close()
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
