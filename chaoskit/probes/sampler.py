"""The open-loop schedule of a probe: fixed due times, a deadline for each observation, no waiting.

A slow answer never delays the next observation: each is its own task. Times that were missed
because this process was late are made up for, and recorded with both `due` and `sent`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from chaoskit.clock import Clock
from chaoskit.probes._base import Observed, Probe, Session
from chaoskit.records import Outcome, Sample
from chaoskit.stack.routes import Routes
from chaoskit.tasks import end
from chaoskit.wire.closing import Closing
from chaoskit.wire.due import until
from chaoskit.wire.error_text import unexpected

_BEAT = 0.02  # seconds


async def sample(
    name: str,
    probe: Probe,
    routes: Routes,
    clock: Clock,
    emit: Callable[[Sample], None],
    stop: asyncio.Event,
) -> None:
    """Observe every `probe.every` seconds from now on until `stop` is set.

    Then no observation is begun; those in flight end, or are cut at their deadline. What
    `connect` and `observe` raise becomes a failed sample; what `emit` raises ends the sampling.
    """
    probe.load()
    sampler = _Sampler(name, probe, routes, clock, emit)
    start = clock.now()
    count = 0
    try:
        async with sampler.pulse, asyncio.TaskGroup() as observations:
            while await until(start + count * probe.every, clock, stop):
                await sampler.turn()
                if stop.is_set():
                    break
                observations.create_task(sampler.observe(start + count * probe.every))
                count += 1
    finally:
        await sampler.close()


class _Pulse:
    """Beats in this process' event loop, so that it is known for how long the loop stood still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lost = 0.0
        self._last = clock.now()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._last = self._clock.now()
        self._task = asyncio.create_task(self._beat())

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await end(self._task)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            self._lost, self._last = self.lost(), self._clock.now()

    def lost(self) -> float:
        """Return for how many seconds the loop has stood still so far."""
        return self._lost + max(0.0, self._clock.now() - self._last - 2 * _BEAT)


class _Slot:
    """The session of one observation, known only once `connect` returned."""

    def __init__(self, session: Session | None) -> None:
        self.session = session


class _Sampler:
    def __init__(
        self,
        name: str,
        probe: Probe,
        routes: Routes,
        clock: Clock,
        emit: Callable[[Sample], None],
    ) -> None:
        self._name = name
        self._probe = probe
        self._routes = routes
        self._clock = clock
        self._emit = emit
        self._idle: list[Session] = []
        self._closing = Closing()
        self.pulse = _Pulse(clock)
        # On time, there are never more than this; it bounds the burst after being late.
        self._turns = asyncio.Semaphore(math.ceil(probe.timeout / probe.every) + 2)

    async def turn(self) -> None:
        await self._turns.acquire()

    async def observe(self, due: float) -> None:
        slot = _Slot(self._idle.pop() if self._idle else None)
        sent, lost = self._clock.now(), self.pulse.lost()
        work = asyncio.create_task(self._attempt(slot))
        try:
            await asyncio.wait({work}, timeout=self._probe.timeout)
        except asyncio.CancelledError:
            self._closing.abandon(work, lambda: slot.session)
            raise
        finally:
            self._turns.release()
        done, lost = self._clock.now(), self.pulse.lost() - lost
        if work.done():
            observed = _outcome(work)
            self._put_back(slot.session, observed)
        else:
            missing = "answer" if slot.session is None else slot.session.waiting_for
            observed = Observed(False, f"no {missing} within {self._probe.timeout}")
            self._closing.abandon(work, lambda: slot.session)
        outcome: Outcome = "ok" if observed.ok else "fail"
        seen = Sample(self._name, due, sent, done, outcome, observed.error, observed.value, lost)
        self._emit(seen)

    async def _attempt(self, slot: _Slot) -> Observed:
        if slot.session is None:
            slot.session = await self._probe.connect(self._routes)
        return await slot.session.observe()

    def _put_back(self, session: Session | None, observed: Observed) -> None:
        if session is None:
            return
        if observed.broken or self._probe.connection == "new":
            self._closing.later(session)
        else:
            self._idle.append(session)
        if observed.broken:
            # The others were opened before this one broke. Found out one by one, they would show
            # an outage that is long over.
            self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            self._closing.later(self._idle.pop())

    async def close(self) -> None:
        self._drop_idle()
        await self._closing.drain()


def _outcome(work: asyncio.Task[Observed]) -> Observed:
    if work.cancelled():
        return Observed(False, "cancelled by the client library", broken=True)
    error = work.exception()
    if error is not None:
        return Observed(False, unexpected(error), broken=True)
    return work.result()
