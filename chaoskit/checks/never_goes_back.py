"""Whether a reader ever sees an older version than it saw before."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment, percent
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.operations import about
from chaoskit.checks.histories.versions import NOTHING, Versions, shown, unparsable_note
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, Finding

NEED = Need(writes=("write",), reads=("read", "truth"))


@check("never_goes_back")
class NeverGoesBack(WorkloadCheck):
    """No reader sees an older version of a key than it has seen before.

    Judged are the reads of a key that the same process had read before in the same view (`read` or
    `truth`). `at_most` allows a share of them to go back. Usual causes: two app replicas with
    caches of their own, a failover to an older replica.
    """

    example: ClassVar[str] = "{ check: never_goes_back, workload: profile }"
    workloads: ClassVar[tuple[str, ...]] = ("versions",)
    formal: ClassVar[str] = "monotonic reads: Terry et al. 1994"
    cannot_tell: ClassVar[str] = "Whether anybody ever sees the newest version: see `fresh_within`."
    remedy: ClassVar[str] = "Use fewer keys or a higher rate of reads, so that keys are read again."

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} back" if self.at_most else "never back"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        versions = Versions(events)
        found: list[Anomaly] = []
        judged = 0
        start, end = window
        for read in versions.reads():
            if read.before == NOTHING or not start <= read.begin.t <= end:
                continue
            judged += 1
            if read.version < read.before:
                back = read.before - max(read.version, 0)
                text = (
                    f"BACK{about(read.begin.key)}: process {read.begin.process} read "
                    f"{shown(read.version)} at {moment(read.end.t)} in {read.begin.op}, "
                    f"after {shown(read.before)}"
                )
                found.append(Anomaly(read.end.t, text, back))
        worst = max((one.size for one in found), default=0)
        share = f" ({percent(len(found), judged, self.at_most)})" if judged else ""
        told = Wording(
            noun="read that went back",
            plural="reads that went back",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'repeated read')} of workload "
                f"`{self.workload}` went backwards{share}"
            ),
            worst=f"by up to {worst:g} versions" if found else None,
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        if problem is None and not judged:
            problem = f"no process of workload `{self.workload}` read a key twice"
        measured = f"{len(found)} went back (of {judged})"
        return finding(
            evidence,
            found,
            told,
            bound,
            problem,
            at_most=self.at_most,
            measured=measured,
            notes=unparsable_note(versions),
        )
