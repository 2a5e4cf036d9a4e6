"""How long the stack, or one service, takes to come up."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaoskit.checks._base import Check, NotJudged, check
from chaoskit.checks._starts import ready
from chaoskit.fields import Duration
from chaoskit.numeric import above
from chaoskit.records import Evidence, Finding, Numbers
from chaoskit.text import moment, seconds_text


@check("startup")
class Startup(Check):
    """The stack is up within this time; with `service`, that service is ready.

    Counted from the start of the `up` phase: until everything is ready, or until the service's
    first container was healthy (where it has a health check) or started.
    """

    example: ClassVar[str] = "{ check: startup, within: 30s }"

    during: Literal["all"] = "all"
    within: Duration
    service: str | None = None

    @property
    def subject(self) -> str:
        return self.service or "stack"

    @property
    def bound(self) -> str:
        return f"<= {self.within}"

    def rule(self, evidence: Evidence) -> Finding:
        up = evidence.phase("up")
        if up is None:
            raise NotJudged("the run never reached the up phase")
        what = "the stack"
        end = up.end
        if self.service is not None:
            what = f"service `{self.service}`"
            end = ready(evidence, self.service)
        if end is None:
            raise NotJudged(f"{what} was not seen to become ready")
        took = max(end - up.start, 0.0)
        text = seconds_text(took, self.within)
        numbers = Numbers(took, self.within, "s")
        if not above(took, self.within):
            return self.passed(text, numbers)
        reason = f"{what} took {text} to become ready, at {moment(end)}"
        services = (self.service,) if self.service else ()
        return self.failed(text, reason, (), end, services, numbers)
