"""How long a probe's answers took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import ClassVar, Self

from pydantic import model_validator

from chaoskit.checks._base import SampledCheck, check
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._schedule import NEVER
from chaoskit.checks._witness import LINES, traced
from chaoskit.fields import Duration
from chaoskit.numeric import above, percentile
from chaoskit.records import Evidence, Finding, Numbers, Sample, Verdict
from chaoskit.text import count, moment, seconds_text

PERCENT = {"p50": 50, "p95": 95, "p99": 99, "max": 100}


@check("latency")
class Latency(SampledCheck):
    """A probe's or a workload's answers are at most this slow: `p50`, `p95`, `p99` or `max`.

    Latency runs from the moment a sample or an operation was due: what waited for a free client was
    slow for its user too, and what was never sent waited until the run stopped. The result says
    also how long operations took from when they were sent. A failed one counts with the time it
    took, so a timeout counts with its deadline; but failing fast never makes the result better: all
    samples and only the good ones are looked at, and the slower of both results is judged. `op`
    picks one kind of operation of a workload.
    """

    example: ClassVar[str] = "{ check: latency, probe: chat, p99: 1s }"

    p50: Duration | None = None
    p95: Duration | None = None
    p99: Duration | None = None
    max: Duration | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if not self.bounds():
            raise ValueError("give at least one of `p50`, `p95`, `p99`, `max`")
        return self

    def bounds(self) -> dict[str, Duration]:
        given = {"p50": self.p50, "p95": self.p95, "p99": self.p99, "max": self.max}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def bound(self) -> str:
        return ", ".join(f"{name} <= {value}" for name, value in self.bounds().items())

    def rule(self, evidence: Evidence) -> Finding:
        bounds = self.bounds()
        samples = self.samples(evidence)
        found = self._figures(samples, attrgetter("due"))
        good = sum(sample.outcome == "ok" for sample in samples)
        sent = [sample for sample in samples if sample.sent != NEVER]
        measured = self._shown(found)
        if self.workload is not None:
            measured += " from due"
            if sent:
                measured += f", {self._shown(self._figures(sent, attrgetter('sent')))} from sent"
        measured += f" (of {len(samples)}"
        measured += f", {len(sent) - good} failed" if good < len(sent) else ""
        measured += f", {len(samples) - len(sent)} never sent)" if len(sent) < len(samples) else ")"
        over = [name for name in bounds if above(found[name], bounds[name])]
        worst = max(over, key=lambda name: found[name] - bounds[name], default=None)
        decisive = worst or next(iter(bounds))
        numbers = Numbers(found[decisive], bounds[decisive], "s")
        if worst is not None:
            reason, witness, at = self._too_slow(evidence, samples, worst, found[worst])
            return self.failed(measured, reason, witness, at, numbers=numbers)
        if not good:
            reason = f"no {self.unit} of {self.what} succeeded, so there is no latency to judge"
            return Finding(Verdict.UNKNOWN, measured, self.bound, reason, numbers=numbers)
        return self.unless_omitted(self.passed(measured, numbers), evidence)

    def _figures(
        self, samples: Sequence[Sample], since: Callable[[Sample], float]
    ) -> dict[str, float]:
        """Return the percentile of each bound, of all samples or of the good ones: the slower."""
        every = sorted(sample.done - since(sample) for sample in samples)
        good = sorted(one.done - since(one) for one in samples if one.outcome == "ok")
        return {
            name: max(percentile(values, PERCENT[name]) for values in (every, good) if values)
            for name in self.bounds()
        }

    def _shown(self, figures: Mapping[str, float]) -> str:
        bounds = self.bounds()
        return ", ".join(f"{name} {seconds_text(figures[name], bounds[name])}" for name in bounds)

    def _too_slow(
        self, evidence: Evidence, samples: Sequence[Sample], name: str, value: float
    ) -> tuple[str, tuple[str, ...], float]:
        """Return the sentence, the slowest samples as witness, and when the slowest was done."""
        limit = self.bounds()[name]
        slow = [sample for sample in samples if above(sample.latency, limit)]
        slow.sort(key=lambda sample: -sample.latency)
        unsent = sum(sample.sent == NEVER for sample in slow)
        failed = sum(sample.outcome != "ok" for sample in slow) - unsent
        which = f"the slowest {self.unit}" if name == "max" else f"the {name} latency"
        reason = (
            f"{which} of {self.what} is {seconds_text(value, limit)}, above {limit}: "
            f"{len(slow)} of {count(len(samples), self.unit)} took longer, {failed} of them failed"
        )
        if unsent:
            reason += f" and {unsent} were never sent, because every client was busy"
        worst = slow if len(slow) <= LINES else slow[: LINES - 1]
        lines = [_line(s, limit, evidence) for s in sorted(worst, key=lambda sample: sample.due)]
        if len(slow) > len(worst):
            lines.append(f"... and {len(slow) - len(worst)} more")
        return reason, tuple(lines), slow[0].done


def _line(sample: Sample, limit: float, evidence: Evidence) -> str:
    how = "ok" if sample.outcome == "ok" else f"failed: {sample.error or 'no error given'}"
    took = seconds_text(sample.latency, limit)
    line = f"{moment(sample.due)}: took {took} ({how}), {fault_at(evidence, sample.done)}"
    return traced(line, sample.trace)
