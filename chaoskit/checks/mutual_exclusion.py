"""Whether a lock is ever held by two at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.operations import about
from chaoskit.records import Event, Key
from chaoskit.text import count, in_brackets, moment, seconds_text

NEED = Need(writes=("acquire",), reads=(), others=("release",))


@dataclass(slots=True)
class Hold:
    """From when to when a process surely held a lock: acquired, and not begun to release.

    `start`, `end` and `refused` are places in the history. `refused` is where its release was
    refused: until then it may have gone on.
    """

    got: Event
    start: int
    end: int
    until: float
    refused: int = -1


@check("mutual_exclusion")
class MutualExclusion(WorkloadCheck):
    """No two clients hold a lock at the same time.

    A client holds it from the moment it was told so until it begins to release it. An acquisition
    without a clear answer, and a hold that is never released, are not counted beyond what is sure.
    Usual causes: a lock that expires while its holder still works, a store that restarts empty.
    """

    example: ClassVar[str] = "{ check: mutual_exclusion, workload: leader }"
    workloads: ClassVar[Mapping[str, Need]] = {"lock": NEED}
    anomalies: ClassVar[str] = "holds while another held it"
    formal: ClassVar[str] = "mutual exclusion: Dijkstra 1965"
    cannot_tell: ClassVar[str] = (
        "Whether the two did any harm: with fencing tokens the resource can refuse the older one, "
        "see `fencing`."
    )
    remedy: ClassVar[str] = "Let more clients compete for fewer locks, also through the faults."

    @property
    def bound(self) -> str:
        return "one holder at a time"

    def look(self, history: History) -> Judged:
        by_key = holds(history.events)
        start, end = history.window
        judged = unsure = 0
        found: list[Anomaly] = []
        for held in by_key.values():
            other: Hold | None = None
            refused = -1
            for hold in sorted(held, key=lambda hold: hold.start):
                inside = start <= hold.got.t <= end
                judged += inside
                if inside and other is not None and hold.start < other.end:
                    found.append(_both(hold, other))
                elif inside and hold.start < refused:
                    unsure += 1
                if other is None or hold.end > other.end:
                    other = hold
                refused = max(refused, hold.refused)
        gap = None
        if unsure:
            gap = (
                f"{count(unsure, 'hold')} of workload `{self.workload}` began before the release "
                "of another one was refused, which does not prove that the other had ended"
            )
        elif not any(hold.end > hold.start for held in by_key.values() for hold in held):
            gap = f"no lock of workload `{self.workload}` was released, so no hold is known"
        return Judged(
            found,
            judged,
            measured=f"{len(found)} overlapping (of {count(judged, 'hold')})",
            sentence=(
                f"{len(found)} of {count(judged, 'hold')} of workload `{self.workload}` began "
                f"while another client held the lock{in_brackets(len(found), judged)}"
            ),
            worst=f"for up to {seconds_text(max((one.size for one in found), default=0.0))}",
            gap=gap,
        )


def holds(events: Sequence[Event]) -> dict[Key, list[Hold]]:
    """Return the sure holds of each lock. A hold nobody released counts for its first moment."""
    found: dict[Key, list[Hold]] = {}
    current: dict[tuple[Key, int], Hold] = {}
    releasing: dict[int, Hold] = {}
    for place, event in enumerate(events):
        if event.op == "acquire" and event.type == "ok":
            hold = Hold(event, place, place, event.t)
            found.setdefault(event.key, []).append(hold)
            current[event.key, event.process] = hold
        elif event.op == "release" and event.type == "invoke":
            released = current.pop((event.key, event.process), None)
            if released is not None:
                released.end, released.until = place, event.t
                releasing[event.id] = released
        elif event.op == "release" and event.type == "fail" and event.id in releasing:
            releasing[event.id].refused = place
    return found


def _both(hold: Hold, other: Hold) -> Anomaly:
    together = max(min(hold.until, other.until) - hold.got.t, 0.0)
    text = (
        f"BOTH HOLD{about(hold.got.key)}: process {hold.got.process} got the lock at "
        f"{moment(hold.got.t)}, process {other.got.process} held it {other.got.t:.2f} - "
        f"{moment(other.until)}"
    )
    return Anomaly(hold.got.t, text, together)
