"""Whether every view shows the last version, once all is healed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_versions
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about
from chaoskit.checks.histories.versions import NEED, Read, Versions, shown, unparsable_note
from chaoskit.fields import Duration
from chaoskit.records import FaultWindow, Key
from chaoskit.text import count, moment, seconds_text


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the final reads of all keys say: how many were judged, what is wrong, how long it took.

    `unread` holds keys with acknowledged writes and no read late enough.
    """

    keys: int
    bad: int
    found: Sequence[Anomaly]
    slowest: float
    unread: Sequence[Key]


@check("converges")
class Converges(WorkloadCheck):
    """After the last heal and the last write, every view shows every key's last version.

    Judged are the reads that were invoked `within` after both: each returns the last acknowledged
    version of its key, or a later one that had no clear answer, and `read` shows what `truth` had
    shown before. Usual causes: a cache healed without a flush, a late fill with an old value.
    """

    example: ClassVar[str] = "{ check: converges, workload: profile, within: 5s }"
    workloads: ClassVar[Mapping[str, Need]] = {"versions": replace(NEED, final=True)}
    anomalies: ClassVar[str] = "keys that did not converge"
    formal: ClassVar[str] = "eventual consistency: Vogels 2009"
    cannot_tell: ClassVar[str] = "How stale reads were before: `fresh_within` says that."
    remedy: ClassVar[str] = (
        "Use a longer `settle` than `within`, so that final reads come late enough, or fewer keys."
    )

    during: Literal["all"] = "all"
    within: Duration = Duration(5)

    @property
    def bound(self) -> str:
        return f"<= {self.within}"

    def look(self, history: History) -> Judged:
        versions = Versions(history.events)
        seen = self._looked(versions, history.faults)
        gap = None
        if seen.unread:
            gap = (
                f"no read{about(seen.unread[0])} of workload `{self.workload}` came {self.within} "
                f"after the last write and heal ({len(seen.unread)} of {count(seen.keys, 'key')} "
                "unread); use a longer `settle`, or fewer keys"
            )
        measured = f"after {seconds_text(seen.slowest, self.within)} ({count(seen.keys, 'key')})"
        if seen.found:
            measured = f"{seen.bad} of {count(seen.keys, 'key')} not converged"
        return Judged(
            seen.found,
            seen.keys,
            measured,
            sentence=(
                f"{seen.bad} of {count(seen.keys, 'key')} of workload `{self.workload}` did not "
                f"show the last version {self.within} after the last write and heal"
            ),
            gap=gap or foreign_versions(versions, self.workload),
            notes=unparsable_note(versions),
        )

    def _looked(self, versions: Versions, faults: Sequence[FaultWindow]) -> _Seen:
        healed = max((fault.healed or 0.0 for fault in faults), default=float("-inf"))
        reads = list(versions.reads())
        written = [history.last for history in versions.keys.values() if history.tried]
        quiet = min(written, default=healed)
        horizon = max(healed, quiet)
        by_key: dict[Key, list[Read]] = {}
        for read in reads:
            if read.begin.t >= horizon:
                by_key.setdefault(read.begin.key, []).append(read)
        found: list[Anomaly] = []
        unread: list[Key] = []
        slowest, keys, bad = 0.0, 0, 0
        for key, history in versions.keys.items():
            if not history.versions:
                continue
            keys += 1
            since = max(healed, history.last)
            later = [read for read in by_key.get(key, ()) if read.begin.t >= since]
            judged = [read for read in later if read.begin.t >= since + self.within]
            newest = {read.begin.op: read for read in later}
            if not judged and (
                not later or any(one.version < history.versions[-1] for one in newest.values())
            ):
                unread.append(key)  # a view that is right by its last read was early enough
                continue
            wrong = _wrong(judged, history.versions[-1], max(history.tried))
            found += wrong
            bad += bool(wrong)
            stale = [read.begin.t for read in later if read.version < history.versions[-1]]
            slowest = max(slowest, max(stale, default=since) - since)
        return _Seen(keys, bad, found, slowest, unread)


def _wrong(judged: Sequence[Read], last: float, newest: float) -> list[Anomaly]:
    found = []
    truth = float("-inf")
    for read in judged:
        text = None
        if read.version < last:
            text = f"returned {shown(read.version)}, {shown(last)} was acknowledged last"
        elif read.version > newest:
            text = f"returned {shown(read.version)}, which was never written"
        elif read.begin.op == "read" and read.version < truth:
            text = f"returned {shown(read.version)}, the store had {shown(truth)}"
        if text is not None:
            name = f"NOT CONVERGED{about(read.begin.key)}"
            when = moment(read.end.t)
            found.append(Anomaly(read.end.t, f"{name}: {read.begin.op} at {when} {text}"))
        if read.begin.op == "truth":
            truth = max(truth, read.version)
    return found
