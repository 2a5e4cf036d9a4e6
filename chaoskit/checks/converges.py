"""Whether every view shows the last version, once all is healed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_versions
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about, precedes
from chaoskit.checks.histories.versions import NEED, VIEWS, Read, Versions, shown, unparsable_note
from chaoskit.fields import Duration
from chaoskit.records import Key
from chaoskit.text import count, moment, seconds_text


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the final reads of all keys say: how many were judged, what is wrong, how long it took.

    `unread` holds views and keys: an acknowledged write, and no read late enough through the view.
    """

    keys: int
    bad: int
    found: Sequence[Anomaly]
    slowest: float
    unread: Sequence[tuple[str, Key]]


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
        seen = self._looked(versions, history)
        gap = None
        if seen.unread:
            view, key = seen.unread[0]
            keys = len({key for _, key in seen.unread})
            gap = (
                f"no {view}{about(key)} of workload `{self.workload}` came {self.within} after the "
                f"last write and heal ({keys} of {count(seen.keys, 'key')} unread)"
                f"{_why(history, view, key)}; use a longer `settle`, or fewer keys"
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

    def _looked(self, versions: Versions, history: History) -> _Seen:
        healed = max((fault.healed or 0.0 for fault in history.faults), default=float("-inf"))
        reads = list(versions.reads())
        written = {key: one for key, one in versions.keys.items() if one.versions and one.last}
        quiet = min((one.last.t for one in written.values() if one.last), default=healed)
        horizon = max(healed, quiet)
        by_key: dict[Key, list[Read]] = {}
        for read in reads:
            if read.begin.t >= horizon:
                by_key.setdefault(read.begin.key, []).append(read)
        found: list[Anomaly] = []
        unread: list[tuple[str, Key]] = []
        slowest, bad = 0.0, 0
        views = [view for view in VIEWS if view in history.used]
        for key, one in written.items():
            assert one.last is not None
            since = max(healed, one.last.t)
            later = [
                read
                for read in by_key.get(key, ())
                if read.begin.t >= since and not precedes(history.events, read.begin, one.last)
            ]
            judged = [read for read in later if read.begin.t >= since + self.within]
            newest = {read.begin.op: read for read in later}
            enough = {read.begin.op for read in judged}
            # A view that is right by its last read was early enough.
            enough |= {view for view, read in newest.items() if read.version >= one.versions[-1]}
            unread += [(view, key) for view in views if view not in enough]
            wrong = _wrong(judged, one.versions[-1], max(one.tried))
            found += wrong
            bad += bool(wrong)
            stale = [read.begin.t for read in later if read.version < one.versions[-1]]
            slowest = max(slowest, max(stale, default=since) - since)
        return _Seen(len(written), bad, found, slowest, unread)


def _why(history: History, view: str, key: Key) -> str:
    """Return the error of the last read of a key through a view, if it failed."""
    last = next((e for e in reversed(history.events) if e.op == view and e.key == key), None)
    return f": {last.error}" if last is not None and last.error else ""


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
