"""Whether the containers of a service stayed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from chaoskit.checks._base import NotJudged, ServiceCheck, check, window
from chaoskit.checks._fault_position import fault_at, named
from chaoskit.checks._starts import note_of_earlier, of_service
from chaoskit.checks._witness import capped
from chaoskit.records import ContainerEvent, Evidence, FaultWindow, Finding
from chaoskit.text import count, moment

SLACK = 0.5  # seconds: the engine reports a death on its own clock, near the inject or the heal
FATAL = ("die", "oom", "restart")


@check("stays_up")
class StaysUp(ServiceCheck):
    """No container of a service dies, restarts or runs out of memory on its own.

    A death caused by a fault aimed at the service is allowed, if the container is started again
    after it. A death caused by a fault on another service is not. Judged is what happened from the
    baseline on; a death while the stack started is noted.
    """

    example: ClassVar[str] = "{ check: stays_up, service: chat }"

    @property
    def bound(self) -> str:
        return "stays up"

    def rule(self, evidence: Evidence) -> Finding:
        start, end = window(self, evidence)
        events = of_service(evidence, self.service)
        if not events:
            raise NotJudged(
                f"the engine reported nothing about service `{self.service}`, not even a start"
            )
        deaths = [e for e in events if e.action in FATAL and start <= e.t <= end]
        aimed = {id(event): _aimed(event, evidence.faults) for event in deaths}
        own = [event for event in deaths if aimed[id(event)] is None]
        if own:
            died = sum(event.action != "restart" for event in own)
            measured = f"died {died}x" if died else f"restarted {len(own)}x"
            reason = (
                f"service `{self.service}` did not stay up: {_happened(own[0])} "
                f"at {moment(own[0].t)}, {fault_at(evidence, own[0].t)}"
            )
            return self._fail(measured, reason, own, evidence)
        for event in deaths:
            fault = aimed[id(event)]
            if fault is None or fault.healed is None or fault.healed > end:
                continue
            if event.action != "restart" and not _started_after(event, events):
                reason = (
                    f"`{self.service}[{event.replica}]` died at {moment(event.t)} by "
                    f"{named(fault)} and did not come back after the heal at {moment(fault.healed)}"
                )
                return self._fail("did not come back", reason, [event], evidence)
        by_faults = sum(event.action == "die" for event in deaths)
        passed = self.passed(
            f"up, {count(by_faults, 'death')} by faults" if by_faults else "up all the time"
        )
        every_death = [event for event in events if event.action == "die"]
        earlier = note_of_earlier(every_death, start) if self.during == "all" else ()
        return replace(passed, notes=earlier)

    def _fail(
        self, measured: str, reason: str, events: Sequence[ContainerEvent], evidence: Evidence
    ) -> Finding:
        lines = [
            f"{moment(e.t)}: {self.service}[{e.replica}] {_happened(e)}, {fault_at(evidence, e.t)}"
            for e in events
        ]
        return self.failed(measured, reason, capped(lines), events[0].t, (self.service,))


def _happened(event: ContainerEvent) -> str:
    if event.action == "oom":
        return "ran out of memory"
    if event.action == "restart":
        return "was restarted"
    return "died" if event.exit_code is None else f"died with exit code {event.exit_code}"


def _aimed(event: ContainerEvent, faults: Sequence[FaultWindow]) -> FaultWindow | None:
    """Return the fault on the event's own service that was in force then."""
    for fault in faults:
        end = float("inf") if fault.healed is None else fault.healed
        if event.service in fault.services and fault.injected - SLACK <= event.t <= end + SLACK:
            return fault
    return None


def _started_after(death: ContainerEvent, events: Sequence[ContainerEvent]) -> bool:
    return any(
        event.action in ("start", "restart")
        and event.replica == death.replica
        and event.t > death.t
        for event in events
    )
