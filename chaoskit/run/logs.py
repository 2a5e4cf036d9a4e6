"""Following the logs of the stack's services from their start, as they are printed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from chaoskit.clock import Clock, parse_stamp, until
from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.client import Engine
from chaoskit.docker.containers import Container
from chaoskit.docker.events import EngineEvent
from chaoskit.docker.logs import LogStream
from chaoskit.errors import ChaoskitError
from chaoskit.record.events import LastLines, LogIncomplete
from chaoskit.record.folder import RunFolder
from chaoskit.record.logs import LIMIT, LogWriter
from chaoskit.record.writer import Recorder
from chaoskit.recovery.logs import TAIL, ContainerLog, copied, save_logs
from chaoskit.tasks import whole

_ENDING = 2.0  # seconds that the log of a dead container may take to end
_CATCHING_UP, _POLL = 15.0, 0.02
_ENGINES_TAIL = 200  # lines, of which the next life of the container may have printed some
_EVENT = 0.1  # seconds between what happens to a process and the engine's word about it
_CUT = f"it grew beyond {LIMIT >> 20} MiB, and the rest was not kept"
_OVERTAKEN = "so much was printed that the engine may have dropped lines before they were read"


@dataclass(slots=True)
class _Followed:
    """One container whose log is followed since it started at `start`, run-clock seconds.

    `died` is when it last died; `work` is what is done with it now, after whatever was done before;
    `problem` is why its log could not be read.
    """

    service: str
    replica: int
    id: str
    start: float
    log: ContainerLog
    died: float = float("-inf")
    work: asyncio.Task[None] | None = None
    stream: LogStream | None = None
    problem: str | None = None


class LogFollower:
    """Copies what the services of a run print into its folder while they print it.

    Each container is read from its start, so that nothing is missed that the engine rotates away or
    that goes with its container; what may be missing all the same is recorded.
    """

    def __init__(
        self, engine: Engine, project: str, folder: RunFolder, recorder: Recorder, clock: Clock
    ) -> None:
        self._engine = engine
        self._project = project
        self._folder = folder
        self._recorder = recorder
        self._clock = clock
        self._writers: dict[str, LogWriter] = {}
        self._followed: dict[str, _Followed] = {}
        self._stopped = False

    def started(self, event: EngineEvent, t: float) -> None:
        """Follow a container that started at `t`, run-clock seconds, perhaps not for the first
        time. Raises `StoreFailed`."""
        if self._stopped:
            return
        one = self._followed.get(event.container_id)
        if one is None:
            if event.service not in self._writers:
                self._writers[event.service] = LogWriter.of(self._folder, event.service)
            log = ContainerLog(self._writers[event.service])
            one = _Followed(event.service, event.replica, event.container_id, t, log)
            self._followed[event.container_id] = one
        one.work = asyncio.create_task(self._follow(one, one.work))

    def adopt(self, container: Container, since: str) -> None:
        """Follow a container that runs already, from a time on. Raises `StoreFailed`."""
        service = container.state.service
        if service not in self._writers:
            self._writers[service] = LogWriter.of(self._folder, service)
        log = ContainerLog(self._writers[service], since)
        one = _Followed(service, container.state.replica, container.id, self._clock.now(), log)
        self._followed[container.id] = one
        one.work = asyncio.create_task(self._follow(one, None))

    def died(self, event: EngineEvent, t: float) -> None:
        """Record the last lines of a container that died at `t`."""
        one = self._followed.get(event.container_id)
        if one is not None and not self._stopped:
            one.work = asyncio.create_task(self._last_lines(one, one.work, one.died, t))
            one.died = t

    async def stop(self, *, read: bool = True) -> None:
        """Stop following and `read` what is left; record what stayed unread."""
        if self._stopped:
            return
        self._stopped = True
        work = (self._caught_up(one, _CATCHING_UP if read else 0.0) for one in self.all)
        await asyncio.gather(*work)
        logs = {one.id: one.log for one in self.all}
        failed: dict[str, str] = {}
        if read:
            try:
                failed = await save_logs(self._engine, self._project, self._folder, logs)
            except ChaoskitError as error:
                failed = dict.fromkeys(logs, error.message)
        for one in self.all:
            problem = failed.get(one.id, one.problem)
            if problem is not None and not one.log.complete and one.log.cut_at is None:
                self._incomplete(one, one.log.last, None, problem)
            if one.log.cut_at is not None:
                self._incomplete(one, one.log.cut_at, None, _CUT)
            if one.log.overtaken is not None:
                self._incomplete(one, *one.log.overtaken, _OVERTAKEN)
        for writer in self._writers.values():
            writer.close()

    @property
    def all(self) -> list[_Followed]:
        """Every container that was followed."""
        return list(self._followed.values())

    async def _caught_up(self, one: _Followed, within: float) -> None:
        """Stop following a container as soon as all of it is read, or after `within` seconds."""
        now = time.time()

        async def read() -> bool:
            return one.work is None or one.work.done() or one.log.caught_up(now)

        done = await until(read, within=within, every=_POLL)
        following = one.work is not None and not one.work.done()
        await _end(one, one.work, 0.0)
        if following and one.problem is None:
            one.log.complete = True  # or as much as can be had
            if not done:
                one.log.overtaken = one.log.last, ""

    def _incomplete(self, one: _Followed, first: str, last: str | None, reason: str) -> None:
        """Record that lines may be missing between those of two times; from its start where no line
        was read."""
        start = parse_stamp(first)
        end = parse_stamp(last or "")
        self._recorder.emit(
            LogIncomplete(
                one.service,
                one.start if start is None else round(self._clock.at(start), 6),
                None if end is None else round(self._clock.at(end), 6),
                reason,
            )
        )

    async def _follow(self, one: _Followed, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        if self._stopped or one.log.cut_at is not None:
            return
        one.log.complete, one.log.read_at = False, 0.0
        try:
            opening = self._engine.logs.open(one.id, since=one.log.since, follow=True)
            one.stream = await whole(opening, _closed)
            if self._stopped:
                one.stream.close()
            await copied(one.log, one.stream)
        except NoSuchContainer:
            one.problem = "its container was gone before its log was read"
        except ChaoskitError as error:
            one.problem = error.message
        else:
            one.problem = None

    async def _last_lines(
        self, one: _Followed, before: asyncio.Task[None] | None, last: float, died: float
    ) -> None:
        await _end(one, before, _ENDING)
        lines = list(one.log.tail)
        one.log.tail.clear()
        # Nothing may have come in time; and what was read last may not be what was printed last.
        if not lines or one.log.cut_at is not None:
            with contextlib.suppress(ChaoskitError):
                lines = await self._printed(one.id, last, died)
        if lines:
            self._recorder.emit(LastLines(one.service, one.replica, died, tuple(lines)))

    async def _printed(self, container_id: str, last: float, died: float) -> list[str]:
        """Return what the engine has of the last lines of a container between two of its deaths."""
        found = []
        for line in await self._engine.containers.logs(container_id, tail=_ENGINES_TAIL):
            stamp, _, text = line.partition(" ")
            when = parse_stamp(stamp)
            if when is not None and last < self._clock.at(when) - _EVENT <= died:
                found.append(text)
        return found[-TAIL:]


async def _end(one: _Followed, work: asyncio.Task[None] | None, within: float) -> None:
    """Wait for what is done with a container; what goes on after `within` seconds is closed."""
    if work is None:
        return
    done, _ = await asyncio.wait([work], timeout=within)
    if not done:
        if one.stream is not None:
            one.stream.close()
        await asyncio.wait([work], timeout=_ENDING)


async def _closed(stream: LogStream) -> None:
    stream.close()
