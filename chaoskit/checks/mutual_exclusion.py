"""Whether a lock is ever held by two at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, length, moment, percent
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks._zones import Value, frozen
from chaoskit.checks.histories.operations import about
from chaoskit.records import Event, Evidence, Finding

NEED = Need(writes=("acquire",), reads=())


@dataclass(slots=True)
class Hold:
    """From when to when a process surely held a lock: acquired, and not begun to release."""

    got: Event
    start: int
    end: int
    until: float


@check("mutual_exclusion")
class MutualExclusion(WorkloadCheck):
    """No two clients hold a lock at the same time.

    A client holds it from the moment it was told so until it begins to release it. An acquisition
    without a clear answer, and a hold that is never released, are not counted beyond what is sure.
    Usual causes: a lock that expires while its holder still works, a store that restarts empty.
    """

    example: ClassVar[str] = "{ check: mutual_exclusion, workload: leader }"
    workloads: ClassVar[tuple[str, ...]] = ("lock",)
    formal: ClassVar[str] = "mutual exclusion: Dijkstra 1965"
    cannot_tell: ClassVar[str] = (
        "Whether the two did any harm: with fencing tokens the resource can refuse the older one, "
        "see `fencing`."
    )
    remedy: ClassVar[str] = "Let more clients compete for fewer locks, also through the faults."

    def judge(self, evidence: Evidence) -> Finding:
        bound = "one holder at a time"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        by_key = holds(events)
        judged = 0
        found: list[Anomaly] = []
        for held in by_key.values():
            other: Hold | None = None
            for hold in sorted(held, key=lambda hold: hold.start):
                inside = window[0] <= hold.got.t <= window[1]
                judged += inside
                if inside and other is not None and hold.start < other.end:
                    found.append(_both(hold, other))
                if other is None or hold.end > other.end:
                    other = hold
        told = Wording(
            noun="hold while another held it",
            plural="holds while another held it",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'hold')} of workload `{self.workload}` began "
                "while another client held the lock"
                + (f" ({percent(len(found), judged)})" if judged else "")
            ),
            worst=f"for up to {length(max(one.size for one in found))}" if found else None,
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        if problem is None and not any(
            hold.end > hold.start for x in by_key.values() for hold in x
        ):
            problem = f"no lock of workload `{self.workload}` was released, so no hold is known"
        measured = f"{len(found)} overlapping (of {count(judged, 'hold')})"
        return finding(evidence, found, told, bound, problem, measured=measured)


def holds(events: Sequence[Event]) -> dict[Value, list[Hold]]:
    """Return the sure holds of each lock. A hold nobody released counts for its first moment."""
    found: dict[Value, list[Hold]] = {}
    current: dict[tuple[Value, int], Hold] = {}
    for place, event in enumerate(events):
        if event.op == "acquire" and event.type == "ok":
            key = frozen(event.key)
            hold = Hold(event, place, place, event.t)
            found.setdefault(key, []).append(hold)
            current[key, event.process] = hold
        elif event.op == "release" and event.type == "invoke":
            released = current.pop((frozen(event.key), event.process), None)
            if released is not None:
                released.end, released.until = place, event.t
    return found


def _both(hold: Hold, other: Hold) -> Anomaly:
    together = max(min(hold.until, other.until) - hold.got.t, 0.0)
    text = (
        f"BOTH HOLD{about(hold.got.key)}: process {hold.got.process} got the lock at "
        f"{moment(hold.got.t)}, process {other.got.process} held it {other.got.t:.2f} - "
        f"{moment(other.until)}"
    )
    return Anomaly(hold.got.t, text, together)
