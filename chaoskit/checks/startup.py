"""How long the stack, or one service, takes to come up."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaoskit.checks._base import Check, check, unknown
from chaoskit.checks._starts import ready
from chaoskit.checks._text import above, length, moment
from chaoskit.fields import Duration
from chaoskit.records import Evidence, Finding, Verdict


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

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.within}"
        up = evidence.phase("up")
        if up is None:
            return unknown(bound, "the run never reached the up phase")
        what = "the stack"
        end = up.end
        if self.service is not None:
            what = f"service `{self.service}`"
            end = ready(evidence, self.service)
        if end is None:
            return unknown(bound, f"{what} was not seen to become ready")
        took = max(end - up.start, 0.0)
        text = length(took, self.within)
        if not above(took, self.within):
            return Finding(Verdict.PASS, text, bound)
        reason = f"{what} took {text} to become ready, at {moment(end)}"
        services = (self.service,) if self.service else ()
        return Finding(Verdict.FAIL, text, bound, reason, (), end, services)
