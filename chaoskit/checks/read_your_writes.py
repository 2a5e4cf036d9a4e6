"""Whether a client sees what it wrote itself."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, length, moment, percent
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.operations import about
from chaoskit.checks.histories.versions import NOTHING, Versions, shown, unparsable_note
from chaoskit.fields import Percentage
from chaoskit.records import Evidence, Finding

NEED = Need(writes=("write",), reads=("read",))


@check("read_your_writes")
class ReadYourWrites(WorkloadCheck):
    """A client that was told its write is done reads that version, or a newer one.

    Judged are the reads through the app of a key that the same client had written before, with the
    write acknowledged. `at_most` allows a share of them to be older. Usual causes: a cache that is
    not invalidated, a replica behind a load balancer.
    """

    example: ClassVar[str] = "{ check: read_your_writes, workload: profile }"
    workloads: ClassVar[tuple[str, ...]] = ("versions",)
    formal: ClassVar[str] = "read your writes: Terry et al. 1994"
    cannot_tell: ClassVar[str] = "What other clients see: `fresh_within` looks at all of them."
    remedy: ClassVar[str] = "Let the clients that write a key also read it, at a higher rate."

    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} older" if self.at_most else "none older"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        versions = Versions(events)
        found: list[Anomaly] = []
        judged = 0
        start, end = window
        for read in versions.reads():
            if read.own == NOTHING or read.begin.op != "read" or not start <= read.begin.t <= end:
                continue
            judged += 1
            if read.version < read.own:
                late = versions.stale_for(read)
                text = (
                    f"OLD{about(read.begin.key)}: process {read.begin.process} read "
                    f"{shown(read.version)} at {moment(read.end.t)}, although its own "
                    f"{shown(read.own)} was acknowledged (stale by {length(late)})"
                )
                found.append(Anomaly(read.end.t, text, late))
        share = f" ({percent(len(found), judged, self.at_most)})" if judged else ""
        told = Wording(
            noun="read older than one's own write",
            plural="reads older than one's own write",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of workload `{self.workload}` by a "
                f"client that had written the key did not show its own write{share}"
            ),
            worst=_worst(found),
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        if problem is None and not judged:
            problem = f"no client of workload `{self.workload}` read a key that it had written"
        measured = f"{len(found)} older (of {judged})"
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


def _worst(found: list[Anomaly]) -> str | None:
    return f"stale by up to {length(max(one.size for one in found))}" if found else None
