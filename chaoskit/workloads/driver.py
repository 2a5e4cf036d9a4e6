"""Drives the clients of one workload and records every operation.

Open loop: operations have fixed due times, whatever the system does. Each client does one at a
time; when all are busy, due operations wait and are sent late, in order, and what still waits when
the run stops was never sent. The history says of every operation when it was due, so that a system
that hangs cannot hide behind clients that wait for it (Gil Tene's "coordinated omission"; wrk2
counts from due as well).

The model of processes is Jepsen's: after an `info` the process is retired and its client goes on as
a new one, because the old operation may still take effect at any later time.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Literal

from chaoskit.clock import Clock
from chaoskit.records import Event, Json, Omitted, Outcome, Schedule, key_of
from chaoskit.stack.routes import Routes
from chaoskit.wire.closing import Closing
from chaoskit.wire.due import until
from chaoskit.wire.error_text import unexpected
from chaoskit.workloads._base import Step, Stream, SubscriberGenerator, Workload
from chaoskit.workloads._client import Client
from chaoskit.workloads._subscribing import Subscriptions
from chaoskit.workloads.operations._base import TRACE, Reply, refuses

VIEW_ATTEMPTS = 3  # how often a view is tried in vain before the run
FINAL_ATTEMPTS = 10  # and after it
VIEW_SPACING = 0.2  # seconds between two tries
VIEW_PATIENCE = 5.0  # seconds without a good read, after which a view is given up


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
        self._operations = workload.operations()
        for operation in self._operations.values():
            operation.load()
        self.counts: dict[str, Counter[Outcome]] = {op: Counter() for op in self._operations}
        self.acknowledged = 0  # counted writes that ended `ok`
        self._name = name
        self._workload = workload
        self._routes = routes
        self._clock = clock
        self._emit = emit
        self._generator = workload.generator(name, seed)
        self._rng = Random(f"{seed} {name} steps")
        self._seed = seed
        self._ids = itertools.count()
        self._clients = [Client(place) for place in range(workload.clients)]
        self._subscriptions: Subscriptions | None = None
        if isinstance(self._generator, SubscriberGenerator):
            self._subscriptions = Subscriptions(
                self,
                self._generator,
                places=workload.clients,
                timeout=workload.timeout,
            )
        listening = len(self._subscriptions.clients) if self._subscriptions else 0
        self._lanes = workload.clients + listening  # processes in one generation
        self._closing = Closing()
        self._streams = self._generator.streams()
        # What each stream gave when it was due, by operation; None for what it left out.
        self._given: list[Counter[str | None]] = [Counter() for _ in self._streams]

    async def run(self, stop: asyncio.Event) -> Schedule:
        """Read every view, then do the operations at their due times until `stop` is set.

        What is in flight then ends, or is cut at its deadline. Return what was due until then.
        """
        try:
            if self._subscriptions is not None:
                await self._subscriptions.start(stop)
            await self._read_views(VIEW_ATTEMPTS, stop)
            start = self._clock.now()
            slots = _slots(self._streams, start)
            async with asyncio.TaskGroup() as clients:
                stopped = clients.create_task(self._stopped(stop))
                for client in self._clients:
                    clients.create_task(self._serve(client, slots, stop))
            if self._subscriptions is not None:
                await self._subscriptions.finish()
            end = stopped.result()
            omitted = tuple(self._omitted(start, end))
            return Schedule(start, end, float(self._workload.timeout), omitted)
        finally:
            if self._subscriptions is not None:
                await self._subscriptions.cut()
            await self._close()

    async def final_reads(self, times: int = FINAL_ATTEMPTS) -> bool:
        """Read every view over new connections, and what cannot be read `times` times in vain.

        Return whether every view was read completely; checks look at what was.
        """
        try:
            return await self._read_views(times, None)
        finally:
            await self._close()

    async def _read_views(self, times: int, stop: asyncio.Event | None) -> bool:
        views = self._generator.views(final=stop is None)
        complete = True
        for _, group in itertools.groupby(views, key=lambda step: step.op):
            complete &= await self._read_view(list(group), times, stop)
        return complete

    async def _read_view(self, left: list[Step], times: int, stop: asyncio.Event | None) -> bool:
        """Read one view, key by key, in rounds: what failed is tried again in the next.

        It is given up after so many rounds in vain, or when nothing was read for a while. Return
        whether all of it was read.
        """
        in_vain = 0
        until_then = self._clock.now() + VIEW_PATIENCE

        async def read(client: Client, waiting: Iterator[Step], unread: list[Step]) -> None:
            nonlocal until_then
            for step in waiting:
                given_up = self._clock.now() > until_then or (stop is not None and stop.is_set())
                if given_up or await self._do(client, step, stop) != "ok":
                    unread.append(step)
                else:
                    until_then = self._clock.now() + VIEW_PATIENCE

        while left and in_vain < times and self._clock.now() <= until_then:
            if in_vain:
                await asyncio.sleep(VIEW_SPACING)
            if stop is not None and stop.is_set():
                break
            waiting, unread = iter(left), list[Step]()
            async with asyncio.TaskGroup() as clients:
                for client in self._clients[: len(left)]:
                    clients.create_task(read(client, waiting, unread))
            in_vain = in_vain + 1 if len(unread) == len(left) else 1
            left = unread
        return not left

    async def _serve(
        self, client: Client, slots: Iterator[tuple[float, int]], stop: asyncio.Event
    ) -> None:
        # All clients take from the one sequence: who is free takes the next that is due.
        for due, place in slots:
            if not await until(due, self._clock, stop):
                return
            step = self._streams[place].next(self._rng, client.place)
            self._given[place][None if step is None else step.op] += 1
            if step is not None:
                await self._do(client, step, stop, due)

    async def _stopped(self, stop: asyncio.Event) -> float:
        """Return when the run stopped: clients that are busy learn it late."""
        await stop.wait()
        return self._clock.now()

    def _omitted(self, start: float, end: float) -> Iterator[Omitted]:
        """Yield what was due until `end` and never sent: the last of each stream.

        Which operations they would have been, where a stream mixes several, is told from those that
        it gave before.
        """
        for stream, given in zip(self._streams, self._given, strict=True):
            sent, due = given.total(), stream.count(end - start)
            if due <= sent:
                continue
            if not given:
                step = stream.next(self._rng, 0)
                given[None if step is None else step.op] += 1
            first, last = start + stream.due(sent), start + stream.due(due - 1)
            for op, times in given.items():
                count = round((due - sent) * times / given.total())
                if op is not None and count:
                    yield Omitted(op, count, first, last)

    async def _do(
        self, client: Client, step: Step, stop: asyncio.Event | None, due: float | None = None
    ) -> Outcome:
        """Do a step and what has to follow it; return how the last of them ended.

        When the run stops, what follows is done at once: a lock is not held any longer.
        """
        while True:
            outcome, value = await self.perform(client, step, due)
            follow = self._generator.ended(step, outcome, value)
            if follow is None:
                return outcome
            step, due = follow.step, self._clock.now() + follow.delay
            if follow.delay > 0:
                await until(due, self._clock, stop or asyncio.Event())

    async def perform(
        self, client: Client, step: Step, due: float | None = None
    ) -> tuple[Outcome, Json]:
        """Do one operation within the deadline and record it; return how it ended.

        It is due now where no `due` is given, and where it is done before that.
        """
        number, now = next(self._ids), self._clock.now()
        due = now if due is None else min(due, now)
        trace = self._trace(step.op, number)
        self._record("invoke", client.process, step, number, step.value, None, due, trace)
        session = client.sessions.get(step.op)
        if session is None:
            session = self._operations[step.op].connect(self._routes)
            client.sessions[step.op] = session
        told = {} if trace is None else {TRACE: trace}
        work = asyncio.create_task(session.run({**step.fields, "id": number, **told}))
        try:
            await asyncio.wait({work}, timeout=self._workload.timeout)
        except asyncio.CancelledError:
            self.discard(client, step.op, work)
            self._complete(client, step, number, Reply("info", error="the run was interrupted"))
            raise
        if not work.done():
            self.discard(client, step.op, work)
            reply = Reply("info", error=f"no answer within {self._workload.timeout}")
        else:
            reply = _reply(work)
        return self._complete(client, step, number, reply)

    def observe(
        self, client: Client, step: Step, outcome: Outcome, error: str | None = None
    ) -> None:
        """Record something that came by itself, as an operation without duration."""
        number = next(self._ids)
        self._record("invoke", client.process, step, number, step.value, None)
        self._record(outcome, client.process, step, number, step.value, error)
        self.counts.setdefault(step.op, Counter())[outcome] += 1

    def _complete(
        self, client: Client, step: Step, number: int, reply: Reply
    ) -> tuple[Outcome, Json]:
        """Record how an operation ended, and retire the process of one that is in doubt."""
        outcome, value, error = reply.outcome, step.value, reply.error
        if outcome == "ok" and refuses(self._operations[step.op], reply.value):
            outcome, error = "fail", "refused by its answer"
        if outcome == "ok":
            try:
                value = self._generator.returned(step, reply.value)
            except ValueError as wrong:
                outcome, error = "info", str(wrong)
        if outcome == "info" and not step.write:
            outcome = "fail"  # a read that gave nothing changed nothing
        self._record(outcome, client.process, step, number, value, error)
        self.counts[step.op][outcome] += 1
        self.acknowledged += step.write and step.counted and outcome == "ok"
        if outcome == "info":
            client.process += self._lanes
            self.discard(client, step.op, None)
        return outcome, value

    def _record(
        self,
        kind: Literal["invoke", "ok", "fail", "info"],
        process: int,
        step: Step,
        number: int,
        value: Json,
        error: str | None,
        due: float | None = None,
        trace: str | None = None,
    ) -> None:
        t, key = self._clock.now(), key_of(step.key)
        self._emit(
            Event(t, kind, process, self._name, step.op, key, value, number, error, due, trace)
        )

    def _trace(self, op: str, number: int) -> str | None:
        """Return the id of an operation's trace, the same in every run with this seed; None for
        one that cannot tell it."""
        if not self._operations[op].traced:
            return None
        text = f"{self._seed} {self._name} {number}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def discard(self, client: Client, op: str, work: asyncio.Task[Reply] | None = None) -> None:
        """Throw away the client's connection for an operation, with a call still running on it."""
        session = client.sessions.pop(op, None)
        if work is not None:
            self._closing.abandon(work, lambda: session)
        elif session is not None:
            self._closing.later(session)

    async def _close(self) -> None:
        for client in self._clients:
            for op in list(client.sessions):
                self.discard(client, op)
        await self._closing.drain()


def _slots(streams: Sequence[Stream], start: float) -> Iterator[tuple[float, int]]:
    """Yield (due, place of the stream) without end, in order of due times."""
    waiting = [(start + stream.due(0), place, 0) for place, stream in enumerate(streams)]
    heapq.heapify(waiting)
    while waiting:
        due, place, count = waiting[0]
        yield due, place
        count += 1
        heapq.heapreplace(waiting, (start + streams[place].due(count), place, count))


def _reply(work: asyncio.Task[Reply]) -> Reply:
    if work.cancelled():
        return Reply("info", error="cancelled by the client library")
    error = work.exception()
    return work.result() if error is None else Reply("info", error=unexpected(error))
