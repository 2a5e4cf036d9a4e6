"""How often the containers of a service are started again."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, model_validator

from chaoskit.checks._base import NotJudged, ServiceCheck, check, window
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._starts import again, note_of_earlier, of_service
from chaoskit.checks._witness import capped
from chaoskit.records import Evidence, Finding, Numbers
from chaoskit.text import count, moment


@check("restarts")
class Restarts(ServiceCheck):
    """The containers of a service are started again at most, or at least, so many times.

    Counted is every start after the first one of its replica, by a fault, by the restart policy or
    by Compose. `at_least` shows that a restart policy acts.
    """

    example: ClassVar[str] = "{ check: restarts, service: chat, at_most: 1 }"

    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at least one of `at_least`, `at_most`")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("`at_least` is above `at_most`")
        return self

    @property
    def bound(self) -> str:
        given = ((">=", self.at_least), ("<=", self.at_most))
        return ", ".join(f"{sign} {value}" for sign, value in given if value is not None)

    def rule(self, evidence: Evidence) -> Finding:
        start, end = window(self, evidence)
        events = of_service(evidence, self.service)
        if not any(event.action == "start" for event in events):
            raise NotJudged(f"the engine reported no start of service `{self.service}`")
        every = again(events)
        found = [event for event in every if start <= event.t <= end]
        measured = count(len(found), "restart")
        limit = self.at_least if self.at_most is None else self.at_most
        numbers = Numbers(len(found), limit, "count")
        few = self.at_least is not None and len(found) < self.at_least
        if not few and (self.at_most is None or len(found) <= self.at_most):
            passed = self.passed(measured, numbers)
            earlier = note_of_earlier(every, start) if self.during == "all" else ()
            return replace(passed, notes=earlier)
        reason = (
            f"service `{self.service}` was restarted {count(len(found), 'time')}, not {self.bound}"
        )
        lines = [
            f"{moment(e.t)}: {self.service}[{e.replica}] started again, {fault_at(evidence, e.t)}"
            for e in found
        ]
        at = found[0].t if found else None
        return self.failed(measured, reason, capped(lines), at, (self.service,), numbers)
