"""How old the data is that readers see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_versions
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about
from chaoskit.checks.histories.versions import NEED, NOTHING, Versions, shown, unparsable_note
from chaoskit.fields import Duration, Percentage
from chaoskit.numeric import above
from chaoskit.text import count, in_brackets, moment, seconds_text


@check("fresh_within")
class FreshWithin(WorkloadCheck):
    """No read returns a version that was replaced longer ago than `within`.

    A read is stale by the time from the acknowledgement of the next newer version until the read
    was invoked. `during` picks reads by when they were invoked: `during: settle` asks about the
    time after the heal. `at_most` allows a share of the reads to be staler.
    """

    example: ClassVar[str] = "{ check: fresh_within, workload: profile, within: 2s }"
    workloads: ClassVar[Mapping[str, Need]] = {"versions": NEED}
    anomalies: ClassVar[str] = "stale reads"
    formal: ClassVar[str] = "delta-atomicity: Golab, Li & Shah 2011"
    cannot_tell: ClassVar[str] = (
        "Staleness between two reads: a key that nobody reads while it is stale looks fresh."
    )
    remedy: ClassVar[str] = "Read and write more often, and through the faults."

    within: Duration = Duration(1)
    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.within}" + (f" in all but {self.at_most}" if self.at_most else "")

    def look(self, history: History) -> Judged:
        versions = Versions(history.events)
        found: list[Anomaly] = []
        judged = stale = 0
        written = False
        oldest = 0.0
        start, end = history.window
        for read in versions.reads():
            if not start <= read.begin.t <= end:
                continue
            judged += 1
            written |= read.acknowledged != NOTHING
            if read.version >= read.acknowledged:
                continue
            stale += 1
            late = versions.stale_for(read)
            oldest = max(oldest, late)
            if above(late, self.within):
                text = (
                    f"STALE{about(read.begin.key)}: {read.begin.op} by process "
                    f"{read.begin.process} returned {shown(read.version)} at "
                    f"{moment(read.end.t)}, {shown(read.acknowledged)} was acknowledged; "
                    f"stale by {seconds_text(late, self.within)}"
                )
                found.append(Anomaly(read.end.t, text, late))
        text = seconds_text(oldest, self.within) if stale else "0s"
        none = (
            f"no read of workload `{self.workload}` in this window was of a key with an "
            "acknowledged write; use fewer keys or more reads"
        )
        return Judged(
            found,
            judged,
            measured=f"stale by {text} at most ({stale} stale of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'read')} of workload `{self.workload}` "
                f"{'was' if len(found) == 1 else 'were'} stale for more than {self.within}"
                f"{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
            worst=f"by up to {text}",
            gap=foreign_versions(versions, self.workload) or (None if written else none),
            notes=unparsable_note(versions),
        )
