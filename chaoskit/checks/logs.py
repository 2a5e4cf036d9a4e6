"""What a service printed, or must not print."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from chaoskit.checks._base import ALL, NotJudged, ServiceCheck, check, window
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._witness import LINES, capped
from chaoskit.records import Evidence, Finding, Log, LogLine, Numbers, Verdict
from chaoskit.text import count, moment

WIDTH = 160  # characters of a log line that a witness shows


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"`{value}` is not a regular expression: {error}") from None
    return value


Expression = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]


@check("logs")
class Logs(ServiceCheck):
    """A service's log has, or has no, lines that match a regular expression.

    `absent` wants no such line; where lines may be missing (the log driver gives none, it was cut)
    the answer is `unknown`. `contains` wants at least one, or as many as `at_least` and `at_most`
    say. Without `during`, `absent` and a mere `at_most` look at all that the service printed, from
    its start on; where lines are asked for, they count from the baseline on: those of the start
    show nothing. The expression may match anywhere in a line; `(?i)` at its start ignores case.
    """

    example: ClassVar[str] = '{ check: logs, service: chat, absent: "Traceback|panic" }'

    contains: Expression | None = None
    absent: Expression | None = None
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        counts = self.at_least is not None or self.at_most is not None
        if (self.contains is None) == (self.absent is None):
            raise ValueError("give either `contains` or `absent`")
        if self.absent is not None and counts:
            raise ValueError("`at_least` and `at_most` go with `contains`; `absent` means none")
        if None not in (self.at_least, self.at_most) and self._fewest() > (self._most() or 0):
            raise ValueError("`at_least` is above `at_most`")
        return self

    def _fewest(self) -> int:
        if self.at_least is not None:
            return self.at_least
        return 1 if self.contains is not None and self.at_most is None else 0

    def _most(self) -> int | None:
        return 0 if self.absent is not None else self.at_most

    @property
    def bound(self) -> str:
        if self.absent is not None:
            return "no line"
        fewest, most = self._fewest(), self._most()
        if most is None:
            return f">= {count(fewest, 'line')}"
        return f"{fewest} to {most} lines" if fewest else f"<= {count(most, 'line')}"

    def rule(self, evidence: Evidence) -> Finding:
        measuring, end = window(self, evidence)
        start = measuring
        if not self._fewest() and self.during == "all":
            start, end = ALL  # what must not be printed must not be printed at the start either
        gaps = [gap for gap in evidence.log_gaps if gap.service == self.service]
        gap = next((g for g in gaps if g.start <= end and (g.end is None or g.end >= start)), None)
        if self.service not in evidence.logs and gap is None:
            raise NotJudged(f"the log of service `{self.service}` was not collected")
        pattern = re.compile(self.contains or self.absent or "")
        log = evidence.logs.get(self.service, Log())
        printed, found = 0, 0
        first: list[LogLine] = []
        for line in log.between(start, end):
            printed += 1
            if pattern.search(line.text):
                found += 1
                first += [line] if len(first) < LINES else []
        measured = f"{found} (of {count(printed, 'line')})"
        few, most = found < self._fewest(), self._most()
        numbers = Numbers(found, most, "count")
        too_many = most is not None and found > most
        if gap is not None and not too_many and (few or most is not None):
            reason = f"the log of service `{self.service}` may lack lines: {gap.reason}"
            return Finding(Verdict.UNKNOWN, measured, self.bound, reason, numbers=numbers)
        if not few and not too_many:
            passed = self.passed(measured, numbers)
            if self.absent is None or not _is_empty(log):
                return passed
            note = f"service `{self.service}` printed nothing all run long: that says little"
            return replace(passed, notes=(note,))
        reason = (
            f"service `{self.service}` printed {count(found, 'line')} matching "
            f"`{pattern.pattern}`, expected {self.bound}"
        )
        if first and first[0].t < measuring:
            reason += f"; the first at {moment(first[0].t)}, while the stack started"
        witness = capped([shown_line(line, evidence) for line in first], found)
        at = first[0].t if first else None
        return self.failed(measured, reason, witness, at, (self.service,), numbers)


def _is_empty(log: Log) -> bool:
    return next(log.between(float("-inf"), float("inf")), None) is None


def shown_line(line: LogLine, evidence: Evidence) -> str:
    """Return one line of a witness: when, near which fault, what was printed."""
    text = line.text if len(line.text) <= WIDTH else line.text[: WIDTH - 3] + "..."
    return f"{moment(line.t)} ({fault_at(evidence, line.t)}): {text}"
