"""A number that a probe reads from its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from chaoskit.checks._base import NotJudged, check, samples_in
from chaoskit.checks._bounds import BoundedCheck
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._witness import capped
from chaoskit.checks.histories.operations import number, plain
from chaoskit.records import Evidence, Finding, Sample
from chaoskit.text import count, moment


@check("value")
class Value(BoundedCheck):
    """A number from a probe's answers stays inside bounds.

    `of` says which number is judged: `every` one, the `mean`, or the `last`. A probe has a value
    where it says so: what a `metric` probe reads, the `value:` of an `http` probe, the reply of a
    `redis` probe, the single column and row of a `postgres` probe, the number that the command of
    an `exec` probe prints. Samples without one are left out.
    """

    example: ClassVar[str] = "{ check: value, probe: queue-depth, at_most: 100 }"
    remedy: ClassVar[str] = "Give the probe a `value:`, or a query with one row and one column."

    of: Literal["every", "mean", "last"] = "every"

    def rule(self, evidence: Evidence) -> Finding:
        valued = self.valued(samples_in(self, self.probe, evidence))
        if not valued:
            raise NotJudged(f"no sample of probe `{self.probe}` has a value in this window")
        if self.of == "mean":
            return self._mean(valued, evidence)
        judged = valued if self.of == "every" else valued[-1:]
        bad = [sample for sample in judged if not self.holds(sample.value)]
        measured = _range(judged)
        if not bad:
            return self.passed(measured)
        reason = (
            f"{len(bad)} of {count(len(judged), 'value')} of probe `{self.probe}` "
            f"{'is' if len(bad) == 1 else 'are'} not {self.bound}: {bad[0].value} first, at "
            f"{moment(bad[0].done)}, {fault_at(evidence, bad[0].done)}"
        )
        lines = [f"{moment(s.done)}: {s.value}, {fault_at(evidence, s.done)}" for s in bad]
        return self.failed(measured, reason, capped(lines), bad[0].done)

    def _mean(self, samples: Sequence[Sample], evidence: Evidence) -> Finding:
        numbers = [found for s in samples if (found := number(s.value)) is not None]
        if not numbers:
            raise NotJudged(f"no value of probe `{self.probe}` is a number")
        mean = sum(numbers) / len(numbers)
        measured = f"mean {plain(round(mean, 6))} (of {len(numbers)})"
        if self.holds(mean):
            return self.passed(measured)
        reason = f"the mean value of probe `{self.probe}` is {plain(round(mean, 6))}"
        worst = max(samples, key=lambda sample: abs((number(sample.value) or mean) - mean))
        line = f"{moment(worst.done)}: {worst.value}, {fault_at(evidence, worst.done)}"
        reason += f", not {self.bound}"
        return self.failed(measured, reason, (line,), worst.done)


def _range(samples: Sequence[Sample]) -> str:
    numbers = [found for s in samples if (found := number(s.value)) is not None]
    if len(numbers) < len(samples):
        return count(len(samples), "value")
    low, high = min(numbers), max(numbers)
    text = plain(low) if low == high else f"{plain(low)} to {plain(high)}"
    return f"{text} (of {len(samples)})"
