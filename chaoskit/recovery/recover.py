"""Undoing a run whose process is gone, from its ledger alone, and finishing its folder.

The guard becomes this module when its parent dies; `chaoskit recover` and the next `chaoskit run`
do the same for a run whose guard died as well. A ledger is a file that anybody may have written:
what it says is done only as far as `trust` and the labels of what the engine holds allow.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaoskit.clock import Clock, until
from chaoskit.docker.client import Engine
from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, ExitCode, FaultFailed, UsageError
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
from chaoskit.recovery.guard import ALLOW_HOST_EXEC
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import LEDGER, Entry, Ledger, Opening, opening_of, read_ledger
from chaoskit.recovery.logs import save_logs
from chaoskit.recovery.stragglers import kill_stragglers
from chaoskit.recovery.teardown import (
    gone_with_the_stack,
    recover_command,
    removed,
    write_reports,
)
from chaoskit.recovery.trust import refuse_foreign, trusted
from chaoskit.secrets import OUR_WORDS, Redactor, secrets_in, secrets_of_document
from chaoskit.stack.stack import Stack
from chaoskit.text import printable

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
    opening_of(folder / LEDGER)
    return [entry for entry in reversed(read_ledger(folder / LEDGER)) if entry.open]


def described(entry: Entry, project: str) -> str:
    """Say in words what undoing an entry means, and every command that it runs."""
    if entry.kind == STACK and not entry.flaw:
        return f"remove the stack `{project}`: its containers, networks and volumes"
    half = "" if entry.done else ", injected half-way perhaps"
    text = f"heal fault `{entry.id}` ({entry.kind}{half})"
    try:
        undo = entry.undo
    except ChaoskitError as error:
        return f"not {text}: {error.message}"
    place = "on this machine, with `--allow-host-exec`" if undo.on_host else "in its containers"
    return text + "".join(f"\n    run {place}: {command}" for command in undo.commands)


async def recover(
    path: Path,
    engine: Engine,
    say: Say,
    *,
    by: str,
    named: bool = False,
    allow_host_exec: bool = False,
    dying: float = 0.0,
    engine_back: float = 0.0,
) -> Recovery:
    """Undo everything that is open in a run's ledger, newest first, and finish its folder.

    `named` says that the user, or the run itself, chose this very run. Commands on this machine
    are run only with `allow_host_exec`. `dying` is how many seconds its owner may take to be gone,
    `engine_back` how many an engine that is away may take to come back. Running it again does no
    harm. Raises `Owned` when the run has a live owner, `NotTrusted` where the folder may be
    somebody else's, `StoreFailed` for an unusable ledger; nothing is touched then.
    """
    opening = trusted(path, named=named)
    lock = await asyncio.to_thread(RunLock.take, path, within=dying)
    if lock is None and live_owner(path) is not None:
        raise Owned(f"run `{path.name}` goes on: process {live_owner(path)} owns it")
    left: list[Leftover] = []
    did: list[str] = []

    def note(text: str) -> None:
        did.append(text)
        say(text)

    finished = False
    try:
        events = _events(path)
        if opening is not None:
            await refuse_foreign(path, opening, engine, engine_back)
            work = _Undoing(path, opening, engine, note, lock, engine_back, allow_host_exec)
            left = await work.everything(by, events)
        finished = not left
        if lock is not None:
            _finish_folder(path, events, by, left, say)
    finally:
        if lock is not None:
            lock.release(finished=finished)
    return Recovery(path.name, tuple(did), tuple(left))


class _Undoing:
    """One pass over the open entries of a ledger."""

    def __init__(
        self,
        path: Path,
        opening: Opening,
        engine: Engine,
        note: Say,
        lock: RunLock | None,
        engine_back: float,
        allow_host_exec: bool,
    ) -> None:
        self._path = path
        self._project = opening.project
        self._signed = opening.signed
        self._on_host = allow_host_exec and opening.signed
        self._engine = engine
        self._note = note
        self._lock = lock
        self._engine_back = engine_back

    async def everything(self, by: str, events: list[Recorded]) -> list[Leftover]:
        """Undo it all; return what could not be undone. `events` are those of the run so far, and
        get what is recorded here."""
        entries = to_undo(self._path)
        stack = [entry for entry in entries if entry.kind == STACK and not entry.flaw]
        owns_stack = bool(stack)
        if not entries:
            return []
        if self._signed:
            await until(
                lambda: asyncio.to_thread(kill_stragglers, self._project),
                met=lambda found: not found,
                within=_STRAGGLER,
                every=0.01,
            )
        redactor = await _redactor(self._engine, self._project)
        with _run_files(self._path, redactor, self._lock, events) as files:
            files.recorder.emit(RecoveryStarted(by))
            failed = await self._heal([e for e in entries if e not in stack], files, by)
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
                    detail = await asyncio.wait_for(_healed(entry, stack, self._on_host), _HEAL)
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
            left.append(Leftover(what=what, command=self._command(entry)))
        return left

    def _command(self, entry: Entry) -> str:
        """Return what ends a fault that is left: again, with the permission, or all by hand."""
        with contextlib.suppress(ChaoskitError):
            if entry.undo.on_host and not self._signed:
                return "; ".join(entry.undo.commands)
            if entry.undo.on_host and not self._on_host:
                return f"{recover_command(self._path)} --allow-host-exec"
        return recover_command(self._path)


async def _healed(entry: Entry, stack: Stack, on_host: bool) -> str:
    """Heal a fault; `on_host` allows the commands that this takes on this machine."""
    undo = entry.undo
    if undo.on_host and undo.commands and not on_host:
        raise FaultFailed(f"healing it runs on this machine: {'; '.join(undo.commands)}")
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
    with (
        closing(Ledger(folder, clock, None)) as ledger,
        closing(Recorder(folder, clock, events.append)) as recorder,
    ):
        yield _RunFiles(folder, ledger, recorder)


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
    secrets += [s for c in found for s in secrets_of_document(list(c.words))]
    return Redactor(secrets, keep={project, *OUR_WORDS, *(c.state.service for c in found)})


def _finish_folder(
    path: Path, events: list[Recorded], by: str, left: Sequence[Leftover], say: Say
) -> None:
    """Write the result, judged from what there is, and its reports, unless they are complete.

    A record that cannot be read has no result; that is said.
    """
    log = RunLog(events)
    if log.last(RunEnded) is not None and (path / RESULT).exists():
        write_reports(path, stored_result(path), say)
        return
    with _run_files(path, Redactor(), None, events) as files:
        reason = f"chaoskit was killed {log.moment}; {by} healed what was in force"
        files.recorder.emit(RunEndedEarly(reason, ExitCode.UNKNOWN))
        for one in left:
            files.recorder.emit(LeftBehind(one.what, one.command))
        try:
            record = RunRecord.read(path, events)
        except ChaoskitError as error:
            say(f"it gets no result, for its record is damaged: {error.message}")
            return
        try:
            result = judge(stored_scenario(path), record)
        except ChaoskitError:  # killed before there was a scenario in it
            result = unjudged(record)
        files.folder.write(RESULT, result.model_dump_json(indent=2))
    write_reports(path, result, say)


# -- as a process of its own: what the guard becomes -------------------------------------------


async def _heal_one(
    path: Path, fault: str, engine: Engine, say: Say, *, allow_host_exec: bool
) -> None:
    """Heal one fault whose lease is over while its runner is stuck."""
    opening = trusted(path, named=True)
    entry = next((e for e in to_undo(path) if e.id == fault), None)
    if opening is None or entry is None:
        return
    project = opening.project
    stack = Stack(engine, project)
    try:
        await stack.attach()
        with contextlib.suppress(ChaoskitError):
            await stack.find_late_proxies()
        detail = await _healed(entry, stack, allow_host_exec and opening.signed)
    finally:
        await stack.close()
    redactor = await _redactor(engine, project)
    with _run_files(path, redactor, None, _events(path)) as files:
        files.ledger.healed(fault)
        files.recorder.emit(FaultHealed(fault, detail, by="guard"))
        text = f"the run was stuck when the lease of fault `{fault}` ended, so its guard healed it"
        files.recorder.emit(RunnerStalled(text))
    say(text)


async def _as_guard(path: Path, lease: str | None, *, allow_host_exec: bool) -> ExitCode:
    def say(text: str) -> None:
        print(
            f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {printable(text)}", flush=True
        )

    try:
        async with Engine.connect(ENGINE_BACK) as engine:
            if lease is not None:
                await _heal_one(path, lease, engine, say, allow_host_exec=allow_host_exec)
                return ExitCode.PASSED
            say("the run's process is gone")
            done = await recover(
                path,
                engine,
                say,
                by="the guard",
                named=True,
                allow_host_exec=allow_host_exec,
                dying=_DYING,
                engine_back=ENGINE_BACK,
            )
    except ChaoskitError as error:
        say(error.message)
        return error.exit_code
    for thing in done.left:
        say(f"left behind: {thing.what}; remove it with `{thing.command}`")
    return ExitCode.LEFT_BEHIND if done.left else ExitCode.PASSED


def main() -> ExitCode:
    """Heal one run, or with `--lease FAULT` one fault of it; return the exit code."""
    path, *options = sys.argv[1:]
    lease = options[options.index("--lease") + 1] if "--lease" in options else None
    allowed = ALLOW_HOST_EXEC in options
    return asyncio.run(_as_guard(Path(path), lease, allow_host_exec=allowed))


if __name__ == "__main__":
    sys.exit(main())
