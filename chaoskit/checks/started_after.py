"""Whether a service waits for another one when the stack comes up."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaoskit.checks._base import NotJudged, ServiceCheck, check
from chaoskit.checks._starts import healthy, started
from chaoskit.records import Evidence, Finding
from chaoskit.text import moment, seconds_text


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

    @property
    def bound(self) -> str:
        return f"after {self.after} {self.condition}"

    def rule(self, evidence: Evidence) -> Finding:
        own = started(evidence, self.service)
        if own is None:
            raise NotJudged(f"the engine reported no start of service `{self.service}`")
        other = (healthy if self.condition == "healthy" else started)(evidence, self.after)
        if other is None:
            was = "reported healthy" if self.condition == "healthy" else "started"
            raise NotJudged(f"service `{self.after}` was never {was}")
        if own >= other:
            return self.passed(f"{seconds_text(own - other)} after")
        was = "was healthy" if self.condition == "healthy" else "started"
        reason = (
            f"service `{self.service}` started at {moment(own)}, {seconds_text(other - own)} "
            f"before `{self.after}` {was}"
        )
        lines = (
            f"{moment(own)}: {self.service} started",
            f"{moment(other)}: {self.after} {was}",
        )
        measured = f"{seconds_text(other - own)} before"
        services = (self.service, self.after)
        return self.failed(measured, reason, lines, own, services)
