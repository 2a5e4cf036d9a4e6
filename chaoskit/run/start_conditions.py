"""Waiting for the moment a fault starts: its time, a condition, or another fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chaoskit.clock import Clock, until
from chaoskit.faults import Fault
from chaoskit.faults._start import After, When
from chaoskit.record.writer import LiveCounts
from chaoskit.run.injector import Injection

_POLL = 0.02
_LONGEST_HEAL = 600.0  # seconds; a heal that fails gives up by itself


class Starts:
    """Knows when each fault of a run is to start."""

    def __init__(
        self,
        clock: Clock,
        counts: LiveCounts,
        acknowledged: Callable[[str], int],
        injections: Sequence[Injection],
    ) -> None:
        """`acknowledged` gives the acknowledged writes of a workload so far, by its name."""
        self._clock = clock
        self._counts = counts
        self._acknowledged = acknowledged
        self._injections = {injection.fault.name: injection for injection in injections}

    async def wait(self, fault: Fault, phase_start: float) -> str | None:
        """Return when the fault is due; with a reason in words when its condition was not met.

        A repetition also waits for the heal of the one before it.
        """
        reason = await self._due(fault, phase_start)
        before = self._injections.get(fault.previous or "")
        if reason is None and before is not None:
            await _reached(before, injected=False, within=_LONGEST_HEAL)
        return reason

    async def _due(self, fault: Fault, phase_start: float) -> str | None:
        if fault.when is not None:
            return await self._until(fault.when)
        if fault.after is not None:
            return await self._follow(fault.after)
        await self._clock.sleep_until(phase_start + (fault.at or 0.0))
        return None

    async def _until(self, when: When) -> str | None:
        # A condition that held before the faults phase counts too, but only what is known now:
        # the last sample, the count so far.
        async def met() -> bool:
            return self._met(when)

        if await until(met, within=when.timeout, every=_POLL):
            return None
        return f"its start was not reached within {when.timeout}: {when}"

    def _met(self, when: When) -> bool:
        if when.workload is not None:
            return self._acknowledged(when.workload) >= (when.acknowledged or 0)
        probe = self._counts.probes.get(when.probe or "")
        if probe is None or probe.last is None:
            return False
        return (probe.last.outcome == "ok") == (when.is_ == "healthy")

    async def _follow(self, after: After) -> str | None:
        first = self._injections.get(after.fault)
        if first is None:
            return f"its start was not reached: fault `{after.fault}` is not part of this run"
        then = await _reached(first, injected=bool(after.injected), within=after.timeout)
        if then is not None:
            await self._clock.sleep_until(then + after.delay)
            return None
        if first.gave_up:
            return f"its start was not reached: fault `{after.fault}` did not get that far"
        return f"its start was not reached within {after.timeout}: {after}"


async def _reached(injection: Injection, *, injected: bool, within: float) -> float | None:
    """Return when a fault was injected, or healed; None when it gave up or took too long."""

    async def moment() -> float | None:
        return injection.injected_at if injected else injection.healed_at

    return await until(
        moment,
        met=lambda moment: moment is not None or injection.gave_up,
        within=within,
        every=_POLL,
    )
