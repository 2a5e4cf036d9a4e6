"""Something that must always be true of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from chaoskit.checks._base import NotJudged, check
from chaoskit.checks._bounds import BoundedCheck
from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._witness import capped
from chaoskit.records import Evidence, Finding, Sample
from chaoskit.text import count, moment


@check("invariant")
class Invariant(BoundedCheck):
    """An SQL or Redis expression meets its bound whenever it can be read: before, during, after.

    The expression is the query of a `postgres` probe or the command of a `redis` probe, such as
    `SELECT sum(balance) FROM accounts`. A probe that fails says nothing about the data; but the
    expression must have been read before the first fault and after the last heal.
    """

    example: ClassVar[str] = "{ check: invariant, probe: total, equals: 1000 }"
    formal: ClassVar[str] = "invariant"
    cannot_tell: ClassVar[str] = "What was true between two samples."
    remedy: ClassVar[str] = "Probe more often, and leave time before the faults and after the heal."

    during: Literal["all"] = "all"

    def rule(self, evidence: Evidence) -> Finding:
        valued = self.valued(evidence.samples.get(self.probe, ()))
        bad = [sample for sample in valued if not self.holds(sample.value)]
        if bad:
            reason = (
                f"the invariant of probe `{self.probe}` ({self.bound}) was broken in {len(bad)} of "
                f"{count(len(valued), 'sample')}: {bad[0].value} first, at {moment(bad[0].done)}, "
                f"{fault_at(evidence, bad[0].done)}"
            )
            if bad[-1] is valued[-1]:
                reason += "; it was still broken at the end"
            lines = [f"{moment(s.done)}: {s.value}, {fault_at(evidence, s.done)}" for s in bad]
            measured = f"broken in {len(bad)} (of {count(len(valued), 'sample')})"
            return self.failed(measured, reason, capped(lines), bad[0].done)
        self._enough(valued, evidence)
        return self.passed(f"held (in {count(len(valued), 'sample')})")

    def _enough(self, valued: Sequence[Sample], evidence: Evidence) -> None:
        """Raise `NotJudged` where the value was not read before the faults and after them."""
        what = f"no sample of probe `{self.probe}` with a value"
        if not valued:
            raise NotJudged(f"{what} was there")
        if not evidence.faults:
            return
        if min(s.done for s in valued) > min(fault.injected for fault in evidence.faults):
            raise NotJudged(f"{what} came before the first fault; use a longer `baseline`")
        heals = [fault.healed for fault in evidence.faults if fault.healed is not None]
        if len(heals) < len(evidence.faults) or max(s.sent for s in valued) < max(heals):
            raise NotJudged(f"{what} came after the last heal; use a longer `settle`")
