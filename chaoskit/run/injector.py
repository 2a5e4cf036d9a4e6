"""One fault from its due time to its proof: prepare, ledger, inject, verify, feel, heal, verify."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from chaoskit.clock import Clock, until
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.exchange import Canary, Exchange, typical
from chaoskit.faults import Fault
from chaoskit.faults.contract import Undo
from chaoskit.fields import HOST
from chaoskit.record.events import (
    CanaryExchanged,
    EdgeNotCounted,
    EdgeUsed,
    EffectCounted,
    EffectUnmeasured,
    FaultHealed,
    FaultInjected,
    FaultNotInjected,
    FaultReceipt,
    FaultRechecked,
    HealFailed,
    ServiceUsed,
)
from chaoskit.record.writer import Recorder
from chaoskit.recovery.guard import Guard
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import Ledger
from chaoskit.stack import edge_traffic
from chaoskit.stack.connections import sockets_of
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack
from chaoskit.tasks import together

_CANARIES = 3
_MOST_CANARIES, _BETWEEN, _CALMING = 12, 0.05, 1.0  # where the machine is busy; seconds
_CONFIRMATIONS = 2
_AGAIN = 0.2  # seconds between two looks whether an upstream answers again
_INJECTING = 60.0  # seconds that putting a fault in force may take
_LOOKING, _SHARE_OF_LOOK = 1.0, 0.25  # at most, of the last look: seconds, share of a lease
_SHARE_OF_LEASE = 0.6  # of a fault's lease, for its canary; the rest is for watching use

Moment: TypeAlias = Literal["before", "during", "after"]  # of a fault


@dataclass(slots=True)
class Injection:
    """One fault of a run, as far as running it must know; what shows it is recorded."""

    fault: Fault
    undo: Undo | None = None
    injected_at: float | None = None
    in_force_at: float | None = None  # when putting it in force was over
    look: float = 0.0  # seconds that reading it back took then
    felt_at: float | None = None  # when the canaries that went while it is in force were over
    healing_at: float | None = None
    healed_at: float | None = None
    in_ledger: bool = False
    before: dict[Proxy, Exchange] = field(default_factory=dict)  # canaries, by listener
    heal_failed: str | None = None
    gave_up: bool = False  # it will not be injected, or not be healed, any more
    started: asyncio.Event = field(default_factory=asyncio.Event)  # injected, or given up

    @property
    def canary(self) -> Canary:
        """How its canaries go; the ordinary way also where they are only told of."""
        return self.fault.canary() or Canary()

    @property
    def open(self) -> bool:
        """Injected, perhaps half-way, and not healed yet."""
        return self.in_ledger and self.healed_at is None


async def feel(
    stack: Stack, canary: Canary, proxy: Proxy, before: Exchange, deadline: float
) -> Exchange:
    """Exchange canaries until one feels a fault that is in force, as many as the fault allows.

    A busy machine can be slow all by itself: where that could pass for the fault, two more
    canaries must feel it as well.
    """
    ends = time.monotonic() + deadline
    ask = replace(canary.ask, greeting=bool(before.received and not before.sent))
    for left in reversed(range(canary.tries)):  # one, unless only some connections feel it
        during = await stack.exchange(proxy, deadline, ask)
        if canary.felt(before, during) or not left or time.monotonic() > ends:
            break
    for _ in range(_CONFIRMATIONS if canary.doubtful(before, during) else 0):
        if not canary.felt(before, during):
            break
        during = await stack.exchange(proxy, deadline, ask)
    return during


async def undisturbed(stack: Stack, canary: Canary, proxy: Proxy) -> Exchange:
    """Exchange canaries without the fault: three, or more where a busy machine makes them slow.

    Slow is what could pass for this fault if it took twice as long. Returns the fastest, or a
    failed one where half of them failed.
    """
    ends = time.monotonic() + _CALMING
    seen: list[Exchange] = []
    while True:
        seen.append(await stack.exchange(proxy, ask=canary.ask))
        if len(seen) < _CANARIES:
            continue
        best = typical(seen)
        if len(seen) == _MOST_CANARIES or time.monotonic() > ends or _calm(canary, best):
            return best
        await asyncio.sleep(_BETWEEN)


def _calm(canary: Canary, seen: Exchange) -> bool:
    if not seen.answered or (seen.speechless and seen.closing is None):  # more of it say no more
        return True
    if canary.blind(seen) and not canary.blind(replace(seen, spread=0.0)):  # only by the noise
        return False
    closing = None if seen.closing is None else 2 * seen.closing
    return not canary.felt(seen, replace(seen, seconds=2 * seen.seconds, closing=closing))


class Injector:
    """Injects and heals the faults of one run."""

    def __init__(
        self, stack: Stack, ledger: Ledger, guard: Guard, recorder: Recorder, clock: Clock
    ) -> None:
        self._stack = stack
        self._ledger = ledger
        self._guard = guard
        self._recorder = recorder
        self._clock = clock
        self.meters = edge_traffic.Meters(stack)

    async def ready(self, injections: Sequence[Injection]) -> None:
        """Let every fault start what makes its injection quick, and what counts who uses it."""

        async def one(fault: Fault) -> None:
            with contextlib.suppress(ChaoskitError):  # it is said when the fault is injected
                await fault.ready(self._stack)

        proxies = {p for injection in injections for p in self._edge_listeners(injection)}
        await asyncio.gather(self.meters.start(proxies), *(one(i.fault) for i in injections))

    async def measure_before(self, injections: Sequence[Injection]) -> None:
        """Exchange canaries through every listener that a fault will touch, before any fault."""

        async def one(injection: Injection, proxy: Proxy) -> None:
            before = await undisturbed(self._stack, injection.canary, proxy)
            injection.before[proxy] = before
            self._exchanged(injection, proxy, "before", before)

        await asyncio.gather(
            *(one(i, proxy) for i in injections for proxy in i.fault.listeners(self._stack))
        )

    def _exchanged(
        self, injection: Injection, proxy: Proxy, when: Moment, exchange: Exchange
    ) -> None:
        event = CanaryExchanged(injection.fault.name, str(proxy.edge), when, exchange)
        self._recorder.emit(event)

    async def run(
        self,
        injection: Injection,
        due: Callable[[], Awaitable[str | None]],
        hold: asyncio.Event,
    ) -> None:
        """Inject when `due` returns, heal when the lease is over (or when `hold` is set, without
        one). A reason from `due` says why the fault does not start.

        Never raises for what goes wrong with the fault: that makes it unproven.
        """
        fault = injection.fault
        try:
            if (unmet := await due()) is not None:
                raise FaultFailed(unmet)
            await self._inject(injection)
        except ChaoskitError as error:
            injection.gave_up = True
            self._recorder.emit(FaultNotInjected(fault.name, error.message))
            if injection.open:
                await self.heal(injection)
            return
        finally:
            injection.started.set()
        if fault.instant:
            await self._heal_and_count(injection)
            return
        # The lease is kept by the clock, whatever measuring the effect takes.
        # It counts from when the fault is in force: a polite stop may take a while to get there.
        # Looking whether it is takes a part of it, at both ends.
        begun = self._clock.now() if injection.in_force_at is None else injection.in_force_at
        lease = None if fault.for_ is None else begun + fault.for_
        last_look = min(injection.look, _LOOKING)
        if fault.for_ is not None:
            last_look = min(last_look, _SHARE_OF_LOOK * fault.for_)
            self._guard.lease(fault.name, fault.for_)
        async with asyncio.TaskGroup() as group:
            measuring = group.create_task(self._feel(injection))
            if lease is None:
                await hold.wait()
            else:
                await self._clock.sleep_until(lease - last_look)
            self._guard.healing(fault.name)  # looking once more is a part of it
            await self._before_heal(injection)
            if lease is not None:
                await self._clock.sleep_until(lease)
            measuring.cancel()
        await self._heal_and_count(injection)

    async def _inject(self, injection: Injection) -> None:
        fault = injection.fault
        counting = self._count_connected(fault)
        undo, _ = await together(fault.prepare(self._stack), counting)
        injection.undo = undo
        self._ledger.intent(fault.name, fault.fault, undo)
        injection.in_ledger = True
        if fault.for_ is not None:  # counted anew when it is in force
            self._guard.lease(fault.name, fault.for_ + _INJECTING)
        injection.injected_at = self._clock.now()
        injected = FaultInjected(
            fault.name,
            fault.fault,
            fault.target,
            tuple(fault.restarts_services()),
            fault.ends_processes,
            fault.instant,
        )
        self._recorder.emit(injected, t=injection.injected_at)
        await fault.inject(self._stack, injection.undo)
        injection.in_force_at = self._clock.now()
        self._ledger.done(fault.name)
        receipt = await fault.verify_injected(self._stack, injection.undo)
        injection.look = self._clock.now() - injection.in_force_at
        self._recorder.emit(FaultReceipt(fault.name, receipt.holds, receipt.detail))
        if not receipt.holds:
            raise FaultFailed(f"the read-back does not show it: {receipt.detail}")

    async def _count_connected(self, fault: Fault) -> None:
        """Record who is connected to the services that it acts on; of an edge, its proxy knows."""
        for service in fault.services() if fault.canary() is None else ():
            replicas = await self._stack.containers.of(self._stack.project, service)
            seen = [await sockets_of(self._stack.exec, replica) for replica in replicas]
            counts = [len(one.with_others) for one in seen if one is not None]
            known = len(counts) == len(seen)
            self._recorder.emit(ServiceUsed(fault.name, service, sum(counts) if known else None))

    def _edge_listeners(self, injection: Injection) -> Sequence[Proxy]:
        """Return the listeners whose use must be shown; service faults need no edge."""
        fault = injection.fault
        return fault.listeners(self._stack) if fault.canary() else ()

    async def _feel(self, injection: Injection) -> None:
        """Exchange canaries through every listener while the fault is in force."""
        try:
            await self._felt(injection)
        except ChaoskitError as error:
            self._recorder.emit(EffectUnmeasured(injection.fault.name, error.message))

    async def _felt(self, injection: Injection) -> None:
        fault = injection.fault
        deadline = injection.canary.deadline
        if fault.for_ is not None:  # a short lease must not end before its canary does
            deadline = min(deadline, _SHARE_OF_LEASE * fault.for_)

        async def one(proxy: Proxy, before: Exchange) -> None:
            during = await feel(self._stack, injection.canary, proxy, before, deadline)
            self._exchanged(injection, proxy, "during", during)

        await asyncio.gather(*(one(*listener) for listener in injection.before.items()))
        injection.felt_at = self._clock.now()

    async def _before_heal(self, injection: Injection) -> None:
        """Read back once more: a fault that vanished early was not in force for its lease."""
        fault = injection.fault
        try:
            if injection.undo is not None:
                receipt = await fault.verify_injected(self._stack, injection.undo)
                self._recorder.emit(FaultRechecked(fault.name, receipt.holds, receipt.detail))
                effect = await fault.effect(self._stack, injection.undo)
                if effect is not None:
                    self._recorder.emit(EffectCounted(fault.name, effect.holds, effect.detail))
        except ChaoskitError as error:
            self._recorder.emit(EffectUnmeasured(fault.name, error.message))

    async def _heal_and_count(self, injection: Injection) -> None:
        """Heal, and record at once who used the edges: a run that is killed later has its proof."""
        await self.heal(injection)
        await self._count(injection)

    async def heal(self, injection: Injection) -> None:
        """Heal and read back, a few times if it must be; what stays broken is recorded."""
        fault, undo = injection.fault, injection.undo
        if undo is None or injection.healed_at is not None:
            return
        self._guard.healing(fault.name)  # also of one that was never in force for sure
        injection.healing_at = injection.healing_at or self._clock.now()
        try:
            detail = await heal(type(fault), self._stack, undo)
        except FaultFailed as error:
            injection.heal_failed = error.message
            injection.gave_up = True
            self._recorder.emit(HealFailed(fault.name, error.message))
            return
        injection.healed_at = self._clock.now()
        injection.heal_failed = None
        self._ledger.healed(fault.name)
        self._guard.healed(fault.name)
        self._recorder.emit(FaultHealed(fault.name, detail), t=injection.healed_at)

    async def measure_after(self, injections: Sequence[Injection], within: float) -> None:
        """Exchange canaries again when everything is healed; an upstream may take `within` seconds
        to answer as it did before."""

        async def one(injection: Injection, proxy: Proxy) -> None:
            before = injection.before[proxy]
            after = await until(
                lambda: undisturbed(self._stack, injection.canary, proxy),
                met=lambda seen: seen.answered or not before.answered,
                within=within,
                every=_AGAIN,
            )
            self._exchanged(injection, proxy, "after", after)

        await asyncio.gather(*(one(i, p) for i in injections for p in i.before))

    async def _count(self, injection: Injection) -> None:
        """Record what the clients of its edges did while a fault was in force."""
        begun, ended = injection.injected_at, injection.healing_at
        for proxy in self._edge_listeners(injection) if begun is not None else ():
            id, edge = injection.fault.name, str(proxy.edge)
            # What comes from the host may be a canary: from then on there are none.
            start = injection.felt_at if proxy.client == HOST else begun
            try:
                if start is None or ended is None:
                    raise FaultFailed("it was healed early")
                wall = self._clock.wall
                traffic = await self.meters.traffic(
                    proxy, wall(start).timestamp(), wall(ended).timestamp()
                )
            except ChaoskitError as error:
                self._recorder.emit(EdgeNotCounted(id, edge, error.message))
            else:
                self._recorder.emit(EdgeUsed(id, edge, traffic))
