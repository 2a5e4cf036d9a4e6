"""One run through its phases: up, gate, baseline, faults, heal, settle, final, judge, down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaoskit import __version__, files
from chaoskit.clock import Clock
from chaoskit.docker.client import Engine
from chaoskit.errors import ChaoskitError, EnvironmentFailure, ExitCode, StackNotReady, StoreFailed
from chaoskit.judge.result import Leftover, Result
from chaoskit.judge.stored import COMPOSE_HEAD
from chaoskit.judge.verdict import judge, with_leftovers
from chaoskit.plan.plan import Plan
from chaoskit.record.events import (
    FORMAT,
    GuardMeasured,
    LeftBehind,
    Noted,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    ReplicaSeen,
    ReplicasRead,
    RunEnded,
    RunEndedEarly,
    RunStarted,
    RunUnproven,
    ServicesUp,
)
from chaoskit.record.folder import COMPOSE, PLAN, RESULT, SCENARIO, RunFolder
from chaoskit.record.reader import RunRecord
from chaoskit.record.writer import Listener, LiveCounts, Recorder
from chaoskit.records import Evidence
from chaoskit.recovery.guard import Guard
from chaoskit.recovery.ledger import Ledger, StackUndo
from chaoskit.recovery.teardown import gone_with_the_stack, recover_command, removed
from chaoskit.run.bring_up import bring_up, images
from chaoskit.run.bypass import BypassWatch
from chaoskit.run.clients import Clients
from chaoskit.run.engine_events import EngineEvents
from chaoskit.run.gate import steady
from chaoskit.run.handover import Handover
from chaoskit.run.injector import Injection, Injector
from chaoskit.run.kept import Shelf
from chaoskit.run.logs import LogFollower
from chaoskit.run.port_watch import PortWatch
from chaoskit.run.resources import ResourceWatch
from chaoskit.run.signals import Signals
from chaoskit.run.start_conditions import Starts
from chaoskit.run.timeline import Timeline
from chaoskit.scenario.masked_copy import masked_copy
from chaoskit.stack import edge_traffic
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

CRASH = "crash.txt"
_LARGEST_COMPOSE = 1024**2  # bytes of a Compose file that is kept
_INFLIGHT = 12.0  # seconds an engine call that was cut off may take to end before healing
_ENGINE_BACK, _HURRIED = 45.0, 5.0  # seconds an engine that went away may take to come back


@dataclass(frozen=True, slots=True)
class Options:
    """How to run, as the command line says it."""

    seed: int
    command: str
    image: str  # Toxiproxy's
    keep: bool = False
    allow_host_exec: bool = False
    as_it_is: bool = False  # a stack of the run before is taken with its data


class Runner:
    """Executes one plan in one run folder."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        folder: RunFolder,
        options: Options,
        listener: Listener,
        shelf: Shelf | None = None,
    ) -> None:
        """Without a `shelf` the run makes a stack of its own and leaves none."""
        self._plan = plan
        self._scenario = plan.loaded.scenario
        self._engine = engine
        self._folder = folder
        self._options = options
        self._clock = Clock()
        self._recorder = Recorder(folder, self._clock, listener)
        self._stack = Stack(engine, plan.project.name, plan.protocols, options.seed)
        self._handover = Handover(plan, self._stack, self._recorder, options.image, shelf)
        borrowed = self._handover.borrowed
        self._ledger = Ledger(
            folder, self._clock, plan.project.name, None if borrowed is None else borrowed.folder
        )
        self._guard = Guard(folder.path, allow_host_exec=options.allow_host_exec)
        self._injector = Injector(
            self._stack, self._ledger, self._guard, self._recorder, self._clock
        )
        self._injections = [Injection(fault) for fault in plan.faults]
        self._clients = Clients(
            self._scenario, self._stack, self._clock, self._recorder, options.seed
        )
        self._starts = Starts(
            self._clock, self._recorder.counts, self._clients.acknowledged, self._injections
        )
        hold = self._scenario.timeline.hold
        self._timeline = Timeline(self._injector, self._injections, hold)
        self._bypass = BypassWatch(self._stack, self._recorder)
        self._resources = ResourceWatch(self._stack, plan.project.services, self._recorder)
        project = plan.project.name
        self._logs = LogFollower(engine, project, folder, self._recorder, self._clock)
        self._events = EngineEvents(engine.events, project, self._recorder, self._clock, self._logs)
        self._ports = PortWatch(self._stack, self._recorder, self._cut_now)
        self._phase: str | None = None
        self._up = False
        self._observed = False
        self._failure: Exception | None = None
        self._ended_early: RunEndedEarly | None = None
        self._recover_command = recover_command(folder.path)
        self.observed: Evidence | None = None  # what judging has read of the record

    @property
    def counts(self) -> LiveCounts:
        """Live counts of probes and workloads."""
        return self._recorder.counts

    async def execute(self, signals: Signals) -> Result:
        """Run all phases and return the result; whatever happens, heal and tear down.

        `signals` must call `interrupt` on its first signal.
        """
        self._recorder.emit(
            RunStarted(
                started_at=self._clock.started_at,
                run=self._folder.id,
                scenario=self._scenario.name,
                clock=self._clock.origin,
                seed=self._options.seed,
                file=str(self._plan.loaded.path),
                command=self._options.command,
                project=self._stack.project,
                versions={
                    "chaoskit": __version__,
                    "python": platform.python_version(),
                    "docker": self._engine.version,
                    "toxiproxy_image": self._options.image,
                },
                faults=tuple(fault.name for fault in self._plan.faults),
                format=FORMAT,
            )
        )
        for warning in self._plan.warnings:
            self._recorder.emit(Noted(warning.message))
        signals.last_words = (
            f"its guard goes on healing; should anything stay, `{self._recover_command}` ends it"
        )
        self._body = asyncio.create_task(self._phases())
        if signals.received is not None:
            self.interrupt()
        try:
            await self._body
        except asyncio.CancelledError:
            name = signals.received.name if signals.received else "a cancellation"
            reason = f"the run was interrupted by {name} in the {self._phase} phase"
            self._ended_early = RunEndedEarly(reason, signals.exit_code or ExitCode.UNKNOWN)
        except Exception as error:  # noqa: BLE001  # what is not ours is internal, after healing
            self._failure = _cause(error)
            self._ended_early = self._failed(self._failure)
        if self._ended_early is not None:
            with contextlib.suppress(StoreFailed):
                self._recorder.emit(self._ended_early)
        return await self._wind_down(signals)

    def _failed(self, error: Exception) -> RunEndedEarly:
        """Return what ended the phases early: it is reported after healing."""
        if not isinstance(error, ChaoskitError):
            return self._crashed(error)
        if error.hint:
            with contextlib.suppress(StoreFailed):
                self._recorder.emit(Noted(error.hint))
        logs = error.logs if isinstance(error, StackNotReady) else {}
        last = {service: tuple(lines) for service, lines in logs.items()}
        return RunEndedEarly(error.message, error.exit_code, last)

    def interrupt(self) -> None:
        """Cut the phases off: healing, teardown and the report follow."""
        self._body.cancel()

    def _crashed(self, error: Exception) -> RunEndedEarly:
        text = "".join(traceback.format_exception(error))
        path = self._folder.path / CRASH
        with contextlib.suppress(StoreFailed):
            self._folder.write(CRASH, text)
        reason = f"internal error: {type(error).__name__}: {error}; attach `{path}`"
        return RunEndedEarly(reason, ExitCode.INTERNAL)

    @property
    def _keeps(self) -> bool:
        return self._up and self._options.keep and not self._ended_early

    # -- phases ----------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _phase_of(self, name: str) -> AsyncIterator[None]:
        self._phase = name
        self._recorder.emit(PhaseStarted(name))
        try:
            yield
        except BaseException:
            self._recorder.emit(PhaseEnded(name, cut_off=True))
            raise
        self._recorder.emit(PhaseEnded(name))

    async def _phases(self) -> None:
        timeline = self._scenario.timeline
        async with self._phase_of("up"):
            await self._bring_up()
        async with self._phase_of("gate"):
            self._clients.start_probes()
            self._resources.start()
            await steady(self._clients, self._stack, self._scenario)
            await self._ports.settled(self._plan)
            await self._handover.look()
        async with self._phase_of("baseline"):
            self._clients.start_workloads()
            self._bypass.start()
            await asyncio.gather(
                asyncio.sleep(timeline.baseline), self._injector.ready(self._injections)
            )
            await self._injector.measure_before(self._injections)
            await self._bypass.look()
        self._clients.check()
        async with self._phase_of("faults"):
            await self._timeline.run(self._starts, self._clock.now())
        async with self._phase_of("heal"):
            await self._timeline.heal()
        async with self._phase_of("settle"):
            await asyncio.gather(
                asyncio.sleep(timeline.settle),
                self._injector.measure_after(self._injections, timeline.settle),
            )
            await self._bypass.look()
            await self._read_replicas()
        self._clients.check()
        async with self._phase_of("final"):
            await self._final()

    async def _bring_up(self) -> None:
        borrowed = self._handover.borrowed
        if borrowed is None:
            await self._refuse_taken_name()
        maker = self._folder.path if borrowed is None else borrowed.folder
        layout = self._plan.layout(maker, self._options.image)
        # As it is: it holds no value of the user's, and a mask in it would change the stack.
        overlay = self._folder.write("overlay.yaml", layout.text, masked=False)
        self._ledger.intent("stack", "stack", StackUndo(project=self._stack.project))
        self._up = True
        as_it_is = await self._handover.taken(new_data=not self._options.as_it_is)
        await self._events.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(self._clients.load))
            if as_it_is:
                await self._handover.follow(self._logs)
                self._ports.start()
            else:
                await bring_up(
                    self._plan,
                    layout,
                    overlay,
                    self._stack,
                    lambda text: self._recorder.emit(Progressed(text)),
                    self._ports.start,
                )
            self._ledger.done("stack")
        services = await images(self._stack, self._plan.project.services)
        self._recorder.emit(ServicesUp(tuple(services)))

    def _cut_now(self) -> set[tuple[str, str]]:
        """Return the (client, upstream) pairs on which a fault is in force."""
        faults = [injection.fault for injection in self._injections if injection.open]
        return {(p.client, p.upstream) for fault in faults for p in fault.listeners(self._stack)}

    async def _refuse_taken_name(self) -> None:
        """What has the name of the run's project already is not ours, and must not be removed."""
        taken = await self._engine.cleanup.leftovers(self._stack.project)
        if taken:
            raise EnvironmentFailure(
                f"a Compose project `{self._stack.project}` is there already: {', '.join(taken)}",
                hint="it is not of this run and stays as it is; run again for another name",
            )

    async def _read_replicas(self) -> None:
        """Record what became of every replica: who died under the faults may not be back."""
        try:
            containers = await self._stack.containers.of(self._stack.project)
        except ChaoskitError as error:
            text = f"what became of the services could not be read: {error.message}"
            self._recorder.emit(RunUnproven(text))
            return
        states = [c.state for c in containers if c.state.service in self._plan.project.services]
        seen = [ReplicaSeen(s.service, s.replica, s.status, s.exit_code) for s in states]
        self._recorder.emit(ReplicasRead(tuple(seen), self._plan.project.jobs))

    async def _final(self) -> None:
        await self._clients.final_reads()
        await self._clients.stop()
        await self._observe_edges()

    async def _observe_edges(self) -> None:
        """Record who used the edges: those of the faults, and all others."""
        await self._ports.report(self._injector.meters)
        self._observed = True
        accepted = await edge_traffic.accepted(self._stack, self._stack.proxies)
        seen = {p.edge: number for p, number in accepted.items()}
        self._recorder.emit(self._plan.edges_seen(seen))

    # -- winding down ----------------------------------------------------------------------------

    async def _wind_down(self, signals: Signals) -> Result:
        """Heal, save the logs, judge, tear down, finish the result document. Never cancelled.

        The teardown happens whatever goes wrong before it, a full disk included.
        """
        watches = [self._bypass.stop(), self._ports.stop(), self._resources.stop()]
        ends = [*map(end, self._timeline.tasks), *watches, self._clients.cut()]
        ended = await asyncio.gather(*ends, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and error is not self._failure:
                with contextlib.suppress(StoreFailed):
                    text = f"failed as well: {type(error).__name__}: {error}"
                    self._recorder.emit(Noted(text))
        leftovers: list[Leftover] = []
        judged: Result | Exception
        try:
            if self._up:
                leftovers = await self._heal_and_save(hurry=signals.hurry.is_set())
            if self._keeps:
                await self._injector.meters.stop()
                self._ledger.kept("stack")
                text = f"the stack stays up; remove it with `{self._recover_command}`"
                self._recorder.emit(Noted(text))
            elif self._up and not self._ended_early and not leftovers:
                await self._injector.meters.stop()
                await self._handover.weigh()
            judged = await self._judged()
        except Exception as error:  # noqa: BLE001  # raised again below, after the teardown
            judged = error
        hands_over = self._handover.hands_over and not isinstance(judged, Exception)
        if self._up and not self._keeps and not hands_over:
            within = _HURRIED if signals.hurry.is_set() else _ENGINE_BACK
            self._events.tearing_down = True
            left = await self._tear_down(within)
            self._handover.removed(left)
            if left or self._reaches_out:
                leftovers = left + leftovers
            else:
                leftovers = []
                for injection in self._injections:
                    if injection.open:
                        with contextlib.suppress(StoreFailed):
                            gone_with_the_stack(injection.fault.name, self._ledger, self._recorder)
        await self._events.stop()
        await self._stack.close()
        if isinstance(judged, Exception):
            raise judged
        # Before anything else can fail: what is on the shelf is never forgotten.
        stays = hands_over and self._handover.put(self._folder, self._ledger, self._guard)
        return self._finished(judged, leftovers, stays=stays)

    async def _heal_and_save(self, *, hurry: bool) -> list[Leftover]:
        """Heal what is in force and, unless in a hurry, record the edges and keep the logs."""
        if self._ended_early:
            await self._engine.quiesce(_INFLIGHT)
            await self._engine.back(_HURRIED if hurry else _ENGINE_BACK)
        leftovers = await self._heal_all()
        if not hurry and not self._observed:
            with contextlib.suppress(ChaoskitError):
                await self._observe_edges()
        await self._logs.stop(read=not hurry)
        return leftovers

    async def _judged(self) -> Result:
        self._recorder.emit(GuardMeasured(self._guard.memory()))
        if (jump := self._clock.jump()) is not None:
            self._recorder.emit(RunUnproven(jump))
        async with self._phase_of("judge"):
            record = await asyncio.to_thread(RunRecord.read, self._folder.path)
            self.observed = record.evidence
            result = await asyncio.to_thread(judge, self._scenario, record)
            self._folder.write(RESULT, result.model_dump_json(indent=2))
        return result

    def _finished(self, judged: Result, leftovers: Sequence[Leftover], *, stays: bool) -> Result:
        """Complete the result with what only the teardown could tell, and close the files."""
        result = with_leftovers(judged, leftovers, self._recorder.phases)
        # Reports are rendered from this document: what it does not hold, they cannot leak.
        clean = self._folder.redactor.clean_json(result.model_dump(mode="json"))
        result = Result.model_validate(clean)
        self._folder.write(RESULT, result.model_dump_json(indent=2))
        for one in leftovers:
            self._recorder.emit(LeftBehind(one.what, one.command))
        self._recorder.emit(RunEnded(result.verdict, result.exit_code))
        self._recorder.close()
        if stays:  # the stack is this run's still: its ledger, guard and lock stay with it
            return result
        self._ledger.close()
        self._guard.dismiss()
        if self._folder.lock is not None:
            self._folder.lock.release(finished=not leftovers)
        return result

    @property
    def _reaches_out(self) -> bool:
        """Return whether a fault may have changed what is not removed with the run's copy."""
        return bool(self._plan.shared) or any(not fault.services() for fault in self._plan.faults)

    async def _heal_all(self) -> list[Leftover]:
        """Heal what is still in force, the newest first; return what could not be healed."""
        still = [injection for injection in self._injections if injection.open]
        for injection in sorted(still, key=lambda i: i.injected_at or 0.0, reverse=True):
            await self._injector.heal(injection)
        return [
            Leftover(
                what=f"fault `{i.fault.name}` on {i.fault.target}: {i.heal_failed}",
                command=self._recover_command,
            )
            for i in still
            if i.open
        ]

    async def _tear_down(self, within: float) -> list[Leftover]:
        """Remove the run's copy of the stack; return what is left after several tries."""
        with contextlib.suppress(StoreFailed):
            self._recorder.emit(PhaseStarted("down"))
        cut_off = self._ended_early is not None  # perhaps in the middle of a Compose command
        left = await removed(self._engine, self._stack.project, within, cut_off=cut_off)
        with contextlib.suppress(StoreFailed):
            if not left:
                self._ledger.healed("stack")
            self._recorder.emit(PhaseEnded("down"))
        return left


def _cause(error: Exception) -> Exception:
    """Return the first error of a group: tasks that run side by side raise them in groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def prepare_folder(plan: Plan, runs: Path, token: str) -> RunFolder:
    """Make the run folder with the scenario and the plan in it, secrets masked."""
    folder = RunFolder.create(
        runs, plan.loaded.scenario.name, datetime.now(UTC), plan.secrets.redactor(), token
    )
    text = plan.loaded.path.read_text(encoding="utf-8")
    clean = folder.redactor.clean
    folder.write(SCENARIO, masked_copy(text, clean))
    folder.write_json(PLAN, plan.document())
    folder.write(COMPOSE, "".join(_compose_file(one, clean) for one in plan.loaded.compose_files))
    return folder


def _compose_file(path: Path, clean: Callable[[str], str]) -> str:
    """Return a Compose file without its secrets, after a line that names it; nothing where it is
    gone by now."""
    try:
        text = files.read_text(path, _LARGEST_COMPOSE)
    except (OSError, UnicodeDecodeError):
        return ""
    return f"{COMPOSE_HEAD}{os.path.relpath(path)}\n{masked_copy(text, clean).rstrip()}\n"
