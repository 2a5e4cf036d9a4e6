"""Whether a reader ever sees an older version than it saw before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_versions
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about, plain
from chaoskit.checks.histories.versions import NEED, NOTHING, Versions, shown, unparsable_note
from chaoskit.fields import Percentage
from chaoskit.text import count, in_brackets, moment


@check("never_goes_back")
class NeverGoesBack(WorkloadCheck):
    """No reader sees an older version of a key than it has seen before.

    Judged are the reads of a key that the same process had read before in the same view (`read` or
    `truth`). `at_most` allows a share of them to go back. Usual causes: two app replicas with
    separate caches, a failover to an older replica.
    """

    example: ClassVar[str] = "{ check: never_goes_back, workload: profile }"
    workloads: ClassVar[Mapping[str, Need]] = {"versions": NEED}
    anomalies: ClassVar[str] = "reads that went back"
    formal: ClassVar[str] = "monotonic reads: Terry et al. 1994"
    cannot_tell: ClassVar[str] = "Whether anybody ever sees the newest version: see `fresh_within`."
    remedy: ClassVar[str] = "Use fewer keys or a higher rate of reads, so that keys are read again."

    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} back" if self.at_most else "never back"

    def look(self, history: History) -> Judged:
        versions = Versions(history.events)
        found: list[Anomaly] = []
        judged = 0
        start, end = history.window
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
        none = f"no process of workload `{self.workload}` read a key twice"
        worst = max((one.size for one in found), default=0)
        return Judged(
            found,
            judged,
            measured=f"{len(found)} went back (of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'repeated read')} of workload `{self.workload}` "
                f"went backwards{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
            worst=f"by up to {plain(worst)} versions",
            gap=foreign_versions(versions, self.workload) if judged else none,
            notes=unparsable_note(versions),
        )
