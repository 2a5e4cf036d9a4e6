"""One fault from its due time to its proof: prepare, ledger, inject, verify, feel, heal, verify."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from chaoskit.clock import Clock
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.exchange import Canary, Exchange, typical
from chaoskit.faults import Fault
from chaoskit.faults.contract import Undo
from chaoskit.record.writer import Recorder
from chaoskit.recovery.guard import Guard
from chaoskit.recovery.heal import heal
from chaoskit.recovery.ledger import Ledger
from chaoskit.stack import edge_traffic
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack

_CANARIES = 3
_MOST_CANARIES, _BETWEEN, _CALMING = 12, 0.05, 1.0  # where the machine is busy; seconds
_CONFIRMATIONS = 2
_INJECTING = 60.0  # seconds that putting a fault in force may take
_SHARE_OF_LEASE = 0.6  # of a fault's lease, for its canary; the rest is for watching use


@dataclass(slots=True)
class Canaries:
    """What one listener answered before, during and after the fault."""

    before: Exchange
    during: Exchange | None = None
    after: Exchange | None = None


@dataclass(slots=True)
class Injection:
    """One fault of a run and everything that is known about it."""

    fault: Fault
    undo: Undo | None = None
    injected_at: float | None = None
    healed_at: float | None = None
    in_ledger: bool = False
    doubts: list[str] = field(default_factory=list)  # why it is not proven
    evidence: list[str] = field(default_factory=list)
    canaries: dict[Proxy, Canaries] = field(default_factory=dict)
    first_look: dict[Proxy, edge_traffic.Reading] = field(default_factory=dict)  # before injecting
    window_start: dict[Proxy, edge_traffic.Reading] = field(default_factory=dict)
    window_end: dict[Proxy, edge_traffic.Reading] = field(default_factory=dict)
    counted: bool = False  # its effect was read before the heal
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
    for left in reversed(range(canary.tries)):  # one, unless only some connections feel it
        during = await stack.exchange(proxy, deadline, canary.ask)
        if canary.felt(before, during) or not left or time.monotonic() > ends:
            break
    for _ in range(_CONFIRMATIONS if canary.doubtful(before, during) else 0):
        if not canary.felt(before, during):
            break
        during = await stack.exchange(proxy, deadline, canary.ask)
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

    async def ready(self, injections: Sequence[Injection]) -> None:
        """Let every fault start what makes its injection quick."""

        async def one(fault: Fault) -> None:
            with contextlib.suppress(ChaoskitError):  # it is said when the fault is injected
                await fault.ready(self._stack)

        await asyncio.gather(*(one(injection.fault) for injection in injections))

    async def measure_before(self, injections: Sequence[Injection]) -> None:
        """Exchange canaries through every listener that a fault will touch, before any fault."""

        async def one(injection: Injection, proxy: Proxy) -> None:
            before = await undisturbed(self._stack, injection.canary, proxy)
            injection.canaries[proxy] = Canaries(before)

        await asyncio.gather(
            *(one(i, proxy) for i in injections for proxy in i.fault.listeners(self._stack))
        )

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
            injection.doubts.append(f"could not be injected: {error.message}")
            self._recorder.event("fault_failed", id=fault.name, reason=error.message)
            if injection.open:
                await self.heal(injection)
            return
        finally:
            injection.started.set()
        if fault.instant:
            await self.heal(injection)
            return
        # The lease is kept by the clock, whatever measuring the effect takes.
        # It counts from when the fault is in force: a polite stop may take a while to get there.
        lease = None if fault.for_ is None else self._clock.now() + fault.for_
        if fault.for_ is not None:
            self._guard.lease(fault.name, fault.for_)
        async with asyncio.TaskGroup() as group:
            measuring = group.create_task(self._feel(injection))
            if lease is None:
                await hold.wait()
            else:
                await self._clock.sleep_until(lease)
            self._guard.healing(fault.name)  # looking once more is a part of it
            in_time = measuring.done()
            measuring.cancel()
        await self._before_heal(injection, watched=in_time)
        await self.heal(injection)

    async def _inject(self, injection: Injection) -> None:
        fault = injection.fault
        for proxy in self._edge_listeners(injection):
            injection.first_look[proxy] = await edge_traffic.look(
                self._stack, proxy, self._clock.now()
            )
        injection.undo = await fault.prepare(self._stack)
        self._ledger.intent(fault.name, fault.fault, injection.undo)
        injection.in_ledger = True
        if fault.for_ is not None:  # counted anew when it is in force
            self._guard.lease(fault.name, fault.for_ + _INJECTING)
        injection.injected_at = self._clock.now()
        self._recorder.event(
            "fault_injected",
            t=injection.injected_at,
            id=fault.name,
            fault=fault.fault,
            target=fault.target,
            services=list(fault.restarts_services()),
        )
        await fault.inject(self._stack, injection.undo)
        self._ledger.done(fault.name)
        receipt = await fault.verify_injected(self._stack, injection.undo)
        self._recorder.event(
            "fault_receipt", id=fault.name, holds=receipt.holds, detail=receipt.detail
        )
        injection.evidence.append(receipt.detail)
        if not receipt.holds:
            raise FaultFailed(f"the read-back does not show it: {receipt.detail}")

    def _edge_listeners(self, injection: Injection) -> Sequence[Proxy]:
        """Return the listeners whose use must be shown; service faults need no edge."""
        fault = injection.fault
        return fault.listeners(self._stack) if fault.canary() else ()

    async def _feel(self, injection: Injection) -> None:
        """Exchange one canary per listener while the fault is in force, then start watching use."""
        try:
            await self._felt(injection)
        except ChaoskitError as error:
            injection.doubts.append(f"its effect could not be measured: {error.message}")

    async def _felt(self, injection: Injection) -> None:
        fault = injection.fault
        deadline = injection.canary.deadline
        if fault.for_ is not None:  # a short lease must not end before its canary does
            deadline = min(deadline, _SHARE_OF_LEASE * fault.for_)

        async def one(proxy: Proxy) -> None:
            canaries = injection.canaries.get(proxy)
            if canaries is not None:
                canaries.during = await feel(
                    self._stack, injection.canary, proxy, canaries.before, deadline
                )

        await asyncio.gather(*(one(p) for p in fault.listeners(self._stack)))
        for proxy in self._edge_listeners(injection):
            injection.window_start[proxy] = await edge_traffic.look(
                self._stack, proxy, self._clock.now()
            )

    async def _before_heal(self, injection: Injection, *, watched: bool) -> None:
        """Read back once more: a fault that vanished early was not in force for its lease.

        `watched` says that its use was looked at when it came into force.
        """
        try:
            if watched:
                for proxy in self._edge_listeners(injection):
                    injection.window_end[proxy] = await edge_traffic.look(
                        self._stack, proxy, self._clock.now()
                    )
            if injection.undo is not None:
                receipt = await injection.fault.verify_injected(self._stack, injection.undo)
                if not receipt.holds:
                    injection.doubts.append(f"it was gone before its heal: {receipt.detail}")
                effect = await injection.fault.effect(self._stack, injection.undo)
                if effect is not None:
                    injection.counted = True
                    injection.evidence.insert(0, effect.detail)
                    if not effect.holds:
                        injection.doubts.append(f"nobody felt it: {effect.detail}")
        except ChaoskitError as error:
            injection.doubts.append(f"its effect could not be measured: {error.message}")

    async def heal(self, injection: Injection) -> None:
        """Heal and read back, a few times if it must be; what stays broken is recorded."""
        fault, undo = injection.fault, injection.undo
        if undo is None or injection.healed_at is not None:
            return
        self._guard.healing(fault.name)  # also of one that was never in force for sure
        try:
            detail = await heal(type(fault), self._stack, undo)
        except FaultFailed as error:
            injection.heal_failed = error.message
            injection.gave_up = True
            self._recorder.event("heal_failed", id=fault.name, reason=error.message)
            return
        injection.healed_at = self._clock.now()
        injection.heal_failed = None
        self._ledger.healed(fault.name)
        self._guard.healed(fault.name)
        self._recorder.event("fault_healed", t=injection.healed_at, id=fault.name, detail=detail)

    async def measure_after(self, injections: Sequence[Injection]) -> None:
        """Exchange canaries again when everything is healed."""

        async def one(injection: Injection, canaries: Canaries, proxy: Proxy) -> None:
            canaries.after = await undisturbed(self._stack, injection.canary, proxy)

        await asyncio.gather(
            *(one(i, canaries, p) for i in injections for p, canaries in i.canaries.items())
        )

    async def conclude(self, injections: Sequence[Injection]) -> None:
        """Turn what was measured into evidence and doubts, and record the verdict on each fault."""
        proxies = {p for i in injections for p in self._edge_listeners(i)}
        accepted = await edge_traffic.accepted(self._stack, sorted(proxies, key=lambda p: p.name))
        for injection in injections:
            if injection.injected_at is None and not injection.doubts:
                injection.doubts.append("it was never injected: the run ended before")
            if injection.injected_at is not None:
                self._weigh_canaries(injection)
                self._weigh_use(
                    injection,
                    {p: [self._clock.at(when) for when in times] for p, times in accepted.items()},
                )
            if injection.heal_failed:
                injection.doubts.append(f"it could not be healed: {injection.heal_failed}")
            self._recorder.event(
                "fault_concluded",
                id=injection.fault.name,
                proven=not injection.doubts,
                reason="; ".join(injection.doubts) or None,
                evidence=list(injection.evidence),
            )

    def _weigh_canaries(self, injection: Injection) -> None:
        fault = injection.fault
        felt, seen = 0, 0
        sentences = []
        for proxy, canaries in injection.canaries.items():
            if not canaries.before.answered or canaries.during is None:
                continue
            seen += 1
            felt += injection.canary.felt(canaries.before, canaries.during)
            after = "" if canaries.after is None else f", {canaries.after} after"
            sentences.append(
                f"{canaries.before.what} through {proxy.edge}: {canaries.before} before,"
                f" {canaries.during} during{after}"
            )
        injection.evidence = sentences + injection.evidence  # the most telling first
        if fault.canary() is None or fault.instant:
            return
        if not fault.listeners(self._stack):  # no canary can feel it: it is counted where it acts
            if not injection.counted:
                injection.doubts.append("its effect was not counted before its heal")
            return
        if seen == 0:
            answered = any(c.before.answered for c in injection.canaries.values())
            injection.doubts.append(
                "it was healed before a canary through its edge could feel it"
                if answered
                else "no canary through its edge was answered before the fault"
            )
        elif felt == 0:
            blind = [injection.canary.blind(c.before) for c in injection.canaries.values()]
            why = next((reason for reason in blind if reason), None)
            injection.doubts.append(why or f"no canary through its edge felt it: {sentences[0]}")

    def _weigh_use(self, injection: Injection, accepted: dict[Proxy, list[float]]) -> None:
        """A fault on an edge that carried nothing proves nothing."""
        proxies = self._edge_listeners(injection)
        if not proxies:
            return
        start = injection.injected_at or 0.0
        end = injection.healed_at or self._clock.now()
        used = []
        for proxy in proxies:
            times = accepted.get(proxy, [])
            during = sum(start <= t <= end for t in times)
            live = injection.first_look[proxy].live if proxy in injection.first_look else None
            moved = 0
            if proxy in injection.window_start and proxy in injection.window_end:
                moved = edge_traffic.moved_between(
                    injection.window_start[proxy], injection.window_end[proxy]
                )
            # A refused client leaves no trace at the proxy: being connected before, or coming
            # back afterwards, is what shows that it was there.
            traceless = injection.canary.traceless
            around = sum(start - 10 <= t for t in times)
            if during:
                used.append(f"{proxy.edge} accepted {during} connections of its client meanwhile")
            elif traceless:
                if live or around:
                    used.append(f"{proxy.edge} was in use: {live or 0} open connections were cut")
            elif moved and live != 0:
                used.append(f"{proxy.edge} carried {moved} bytes on open connections meanwhile")
        if used:
            injection.evidence += used
        else:
            injection.doubts.append(f"nothing used {injection.fault.target} while it was in force")
