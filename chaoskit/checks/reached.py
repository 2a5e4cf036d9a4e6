"""What a run must have come past for its other checks to mean something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from pydantic import model_validator

from chaoskit.checks._base import Check, NotJudged, check, samples_in, window
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._schedule import operations
from chaoskit.checks.logs import Expression, shown_line
from chaoskit.fields import Edge, ServiceName
from chaoskit.records import Evidence, Finding, Numbers, Sample, Verdict
from chaoskit.text import count, moment

_SUBJECTS = ("service", "edge", "probe", "workload")


@check("reached")
class Reached(Check):
    """Something was seen at least once, else the run proves too little and is `unknown`.

    A line with `log`, a regular expression, that a `service` printed; an `edge` on which its client
    made a connection, which is counted where it has a proxy, all run long; a good sample of a
    `probe` or operation of a `workload` (`op` picks one kind), or with `error` one that failed with
    an error that matches, such as `status 503`. It never fails: what was not reached, such as the
    path without a cache, was not tested.
    """

    example: ClassVar[str] = '{ check: reached, service: web, log: "cache miss", during: faults }'
    remedy: ClassVar[str] = (
        "Make the fault longer or the load such that it comes to this; `stack: {proxy: all}` counts"
        " connections on every edge."
    )

    service: ServiceName | None = None
    log: Expression | None = None
    edge: Edge | None = None
    probe: str | None = None
    workload: str | None = None
    op: str | None = None
    error: Expression | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if sum(getattr(self, name) is not None for name in _SUBJECTS) != 1:
            raise ValueError("give either `service` with `log`, `edge`, `probe` or `workload`")
        if (self.service is None) != (self.log is None):
            raise ValueError("`service` and `log` go together")
        if self.op is not None and self.workload is None:
            raise ValueError("`op` goes with `workload`")
        if self.error is not None and self.probe is None and self.workload is None:
            raise ValueError("`error` goes with `probe` or `workload`")
        if self.edge is not None and self.during != "all":
            raise ValueError("connections of an `edge` are counted all run long, without `during`")
        return self

    @property
    def subject(self) -> str:
        return str(next(one for name in _SUBJECTS if (one := getattr(self, name)) is not None))

    @property
    def bound(self) -> str:
        return "seen at least once"

    def rule(self, evidence: Evidence) -> Finding:
        if self.edge is not None:
            return self._counted(evidence, self.edge)
        seen = list(self._seen(evidence))
        what = self._what()
        if seen:
            numbers = Numbers(len(seen), None, "count")
            return self.passed(f"{count(len(seen), 'time')}, first {seen[0]}", numbers)
        return self._unreached(f"{what} was not seen, so what comes after it was not tested")

    def _counted(self, evidence: Evidence, edge: Edge) -> Finding:
        known = [
            one
            for one in evidence.edges
            if (one.client, one.upstream) == (edge.client, edge.upstream)
            and edge.port in (None, one.port)
        ]
        numbers = [one.connections for one in known if one.connections is not None]
        if not numbers:
            raise NotJudged(f"connections on the edge `{edge}` were not counted: it had no proxy")
        if sum(numbers):
            text = count(sum(numbers), "connection")
            return self.passed(text, Numbers(sum(numbers), None, "count"))
        return self._unreached(f"`{edge.client}` made no connection to `{edge.upstream}`")

    def _unreached(self, reason: str) -> Finding:
        numbers = Numbers(0, None, "count")
        return Finding(Verdict.UNKNOWN, "never", self.bound, reason, numbers=numbers)

    def _what(self) -> str:
        if self.service is not None:
            return f"a line matching `{self.log}` of service `{self.service}`"
        whose = f"probe `{self.probe}`" if self.probe else f"workload `{self.workload}`"
        if self.op is not None:
            whose = f"`{self.op}` of {whose}"
        if self.error is not None:
            return f"an error matching `{self.error}` of {whose}"
        kind = "" if self.op else "sample of " if self.probe else "operation of "
        return f"a good {kind}{whose}"

    def _seen(self, evidence: Evidence) -> Iterator[str]:
        """Yield what was meant, each with its moment."""
        span = window(self, evidence)
        if self.service is not None:
            if self.service not in evidence.logs:
                raise NotJudged(f"the log of service `{self.service}` was not collected")
            pattern = re.compile(self.log or "")
            for line in evidence.logs[self.service].between(*span):
                if pattern.search(line.text):
                    yield shown_line(line, evidence)
        elif self.probe is not None:
            yield from self._meant(samples_in(self, self.probe, evidence), evidence)
        else:
            made = operations(evidence, self.workload or "", self.op, span)
            yield from self._meant(made, evidence)

    def _meant(self, samples: Sequence[Sample], evidence: Evidence) -> Iterator[str]:
        for one in samples:
            if self.error is None:
                found = one.outcome == "ok"
            else:
                found = re.search(self.error, one.error or "") is not None
            if found:
                yield f"{moment(one.done)} ({fault_at(evidence, one.done)})"
