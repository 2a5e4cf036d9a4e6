"""Drives the clients of one workload and records every operation.

Open loop: operations have fixed due times, whatever the system does. Each client does one at a
time; when all are busy, due operations wait, and how late they were sent is recorded. The model of
processes is Jepsen's: after an `info` the process is retired and its client goes on as a new one,
because the old operation may still take effect at any later time.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Literal

from chaoskit.clock import Clock
from chaoskit.records import Event, Json, Outcome
from chaoskit.stack.routes import Routes
from chaoskit.wire.closing import Closing
from chaoskit.wire.due import until
from chaoskit.wire.words import unexpected
from chaoskit.workloads._base import Step, Stream, Workload
from chaoskit.workloads.operations._base import OperationSession, Reply

VIEW_ATTEMPTS = 3  # how often a read of a view is tried before and after the run
VIEW_SPACING = 0.2  # seconds between two tries


class _Client:
    """One thread of operations: the process it is now, and its sessions by operation."""

    def __init__(self, process: int) -> None:
        self.process = process
        self.sessions: dict[str, OperationSession] = {}


class Driver:
    """The clients of one workload in one run."""

    def __init__(
        self,
        name: str,
        workload: Workload,
        routes: Routes,
        clock: Clock,
        emit: Callable[[Event], None],
        seed: int,
    ) -> None:
        for operation in workload.operations().values():
            operation.load()
        self.counts: dict[str, Counter[Outcome]] = {op: Counter() for op in workload.operations()}
        self.acknowledged = 0  # writes that ended `ok`
        self._name = name
        self._workload = workload
        self._routes = routes
        self._clock = clock
        self._emit = emit
        self._generator = workload.generator(name, seed)
        self._rng = Random(f"{seed} {name} steps")
        self._ids = itertools.count()
        self._clients = [_Client(process) for process in range(workload.clients)]
        self._closing = Closing()
        self._lateness = array("d")

    @property
    def lateness_p99(self) -> float:
        """Seconds between due and sent that 99 % of the operations stayed within."""
        late = sorted(self._lateness)
        return late[min(len(late) - 1, int(len(late) * 0.99))] if late else 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Read every view, then do the operations at their due times until `stop` is set.

        What is in flight then ends, or is cut at its deadline.
        """
        try:
            await self._read_views(VIEW_ATTEMPTS, stop)
            slots = _slots(self._generator.streams(), self._clock.now())
            async with asyncio.TaskGroup() as clients:
                for client in self._clients:
                    clients.create_task(self._serve(client, slots, stop))
        finally:
            await self._close()

    async def final_reads(self, times: int = VIEW_ATTEMPTS) -> bool:
        """Read every view over new connections, each up to `times` times until one is `ok`.

        Return whether every view was read.
        """
        try:
            return await self._read_views(times, None)
        finally:
            await self._close()

    async def _read_views(self, times: int, stop: asyncio.Event | None) -> bool:
        complete = True
        for step in self._generator.views():
            for attempt in range(times):
                if stop is not None and stop.is_set():
                    return False
                if attempt:
                    await asyncio.sleep(VIEW_SPACING)
                if await self._perform(self._clients[0], step) == "ok":
                    break
            else:
                complete = False
        return complete

    async def _serve(
        self, client: _Client, slots: Iterator[tuple[float, Stream]], stop: asyncio.Event
    ) -> None:
        # All clients take from the one sequence: who is free takes the next that is due.
        for due, stream in slots:
            if not await until(due, self._clock, stop):
                return
            step = stream.next(self._rng, client.process)
            self._lateness.append(self._clock.now() - due)
            await self._perform(client, step)

    async def _perform(self, client: _Client, step: Step) -> Outcome:
        number = next(self._ids)
        self._record("invoke", client.process, step, number, step.value, None)
        session = client.sessions.get(step.op)
        if session is None:
            session = self._workload.operations()[step.op].connect(self._routes)
            client.sessions[step.op] = session
        work = asyncio.create_task(session.run({**step.fields, "id": number}))
        try:
            await asyncio.wait({work}, timeout=self._workload.timeout)
        except asyncio.CancelledError:
            self._discard(client, step.op, work)
            self._complete(client, step, number, Reply("info", error="the run was interrupted"))
            raise
        if not work.done():
            self._discard(client, step.op, work)
            reply = Reply("info", error=f"no answer within {self._workload.timeout}")
        else:
            reply = _reply(work)
        return self._complete(client, step, number, reply)

    def _complete(self, client: _Client, step: Step, number: int, reply: Reply) -> Outcome:
        """Record how an operation ended, and retire the process of one that is in doubt."""
        outcome, value, error = reply.outcome, step.value, reply.error
        if outcome == "ok":
            try:
                value = self._generator.returned(step, reply.value)
            except ValueError as wrong:
                outcome, error = "info", str(wrong)
        if outcome == "info" and not step.write:
            outcome = "fail"  # a read that gave nothing changed nothing
        self._record(outcome, client.process, step, number, value, error)
        self.counts[step.op][outcome] += 1
        self.acknowledged += step.write and outcome == "ok"
        if outcome == "info":
            client.process += len(self._clients)
            self._discard(client, step.op, None)
        return outcome

    def _record(
        self,
        kind: Literal["invoke", "ok", "fail", "info"],
        process: int,
        step: Step,
        number: int,
        value: Json,
        error: str | None,
    ) -> None:
        t = self._clock.now()
        self._emit(Event(t, kind, process, self._name, step.op, step.key, value, number, error))

    def _discard(self, client: _Client, op: str, work: asyncio.Task[Reply] | None) -> None:
        session = client.sessions.pop(op, None)
        if work is not None:
            self._closing.abandon(work, lambda: session)
        elif session is not None:
            self._closing.later(session)

    async def _close(self) -> None:
        for client in self._clients:
            for op in list(client.sessions):
                self._discard(client, op, None)
        await self._closing.drain()


def _slots(streams: Sequence[Stream], start: float) -> Iterator[tuple[float, Stream]]:
    """Yield (due, stream) without end, in order of due times."""
    waiting = [(start + stream.offset, place, 0) for place, stream in enumerate(streams)]
    heapq.heapify(waiting)
    while waiting:
        due, place, count = waiting[0]
        stream = streams[place]
        yield due, stream
        count += 1
        heapq.heapreplace(waiting, (start + stream.offset + count / stream.rate, place, count))


def _reply(work: asyncio.Task[Reply]) -> Reply:
    if work.cancelled():
        return Reply("info", error="cancelled by the client library")
    error = work.exception()
    return work.result() if error is None else Reply("info", error=unexpected(error))
