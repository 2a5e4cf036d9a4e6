"""Whether a client sees what it wrote itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_versions
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about
from chaoskit.checks.histories.versions import NEED, NOTHING, Versions, shown, unparsable_note
from chaoskit.fields import Percentage
from chaoskit.text import count, in_brackets, moment, seconds_text


@check("read_your_writes")
class ReadYourWrites(WorkloadCheck):
    """A client that was told its write is done reads that version, or a newer one.

    Judged are the reads through the app of a key that the same client had written before, with the
    write acknowledged. `at_most` allows a share of them to be older. Usual causes: a cache that is
    not invalidated, a replica behind a load balancer.
    """

    example: ClassVar[str] = "{ check: read_your_writes, workload: profile }"
    workloads: ClassVar[Mapping[str, Need]] = {"versions": replace(NEED, reads=("read",))}
    anomalies: ClassVar[str] = "reads older than one's own write"
    formal: ClassVar[str] = "read your writes: Terry et al. 1994"
    cannot_tell: ClassVar[str] = "What other clients see: `fresh_within` looks at all of them."
    remedy: ClassVar[str] = "Let the clients that write a key also read it, at a higher rate."

    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} older" if self.at_most else "none older"

    def look(self, history: History) -> Judged:
        versions = Versions(history.events)
        found: list[Anomaly] = []
        judged = 0
        start, end = history.window
        for read in versions.reads():
            if read.own == NOTHING or read.begin.op != "read" or not start <= read.begin.t <= end:
                continue
            judged += 1
            if read.version < read.own:
                late = versions.stale_for(read)
                text = (
                    f"OLD{about(read.begin.key)}: process {read.begin.process} read "
                    f"{shown(read.version)} at {moment(read.end.t)}, although its own "
                    f"{shown(read.own)} was acknowledged (stale by {seconds_text(late)})"
                )
                found.append(Anomaly(read.end.t, text, late))
        none = f"no client of workload `{self.workload}` read a key that it had written"
        return Judged(
            found,
            judged,
            measured=f"{len(found)} older (of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of workload `{self.workload}` by a "
                f"client that had written the key did not show its own write"
                f"{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
            worst=f"stale by up to {seconds_text(max((one.size for one in found), default=0.0))}",
            gap=foreign_versions(versions, self.workload) if judged else none,
            notes=unparsable_note(versions),
        )
