"""Whether a service waits for another one when the stack comes up."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaoskit.checks._base import ServiceCheck, check, unknown
from chaoskit.checks._starts import healthy, started
from chaoskit.checks._text import length, moment
from chaoskit.records import Evidence, Finding, Verdict


@check("started_after")
class StartedAfter(ServiceCheck):
    """A service starts only after another one has started, or is healthy.

    Judged is the first start of each when the stack comes up: what `depends_on` should see to.
    """

    example: ClassVar[str] = (
        "{ check: started_after, service: chat, after: postgres, condition: healthy }"
    )
    remedy: ClassVar[str] = "Give the other service a health check, or use `condition: started`."

    during: Literal["all"] = "all"
    after: str
    condition: Literal["started", "healthy"] = "started"

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"after {self.after} {self.condition}"
        own = started(evidence, self.service)
        if own is None:
            return unknown(bound, f"the engine reported no start of service `{self.service}`")
        other = (healthy if self.condition == "healthy" else started)(evidence, self.after)
        if other is None:
            was = "reported healthy" if self.condition == "healthy" else "started"
            return unknown(bound, f"service `{self.after}` was never {was}")
        if own >= other:
            return Finding(Verdict.PASS, f"{length(own - other)} after", bound)
        was = "was healthy" if self.condition == "healthy" else "started"
        reason = (
            f"service `{self.service}` started at {moment(own)}, {length(other - own)} before "
            f"`{self.after}` {was}"
        )
        lines = (
            f"{moment(own)}: {self.service} started",
            f"{moment(other)}: {self.after} {was}",
        )
        measured = f"{length(other - own)} before"
        services = (self.service, self.after)
        return Finding(Verdict.FAIL, measured, bound, reason, lines, own, services)
