"""Whether a subscriber that comes back catches up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_messages
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED, Published, Subscriber, channels
from chaoskit.checks.histories.operations import about, plain
from chaoskit.fields import Duration
from chaoskit.numeric import above
from chaoskit.text import count, moment, seconds_text


@check("resync")
class Resync(WorkloadCheck):
    """After a reconnect, a subscriber knows within this time what it had missed.

    Judged are the messages that were acknowledged before the reconnect and not known to the
    subscriber then: each must be received, or be covered by what `resync` returned: a list of
    numbers, or the last one. `during` picks reconnects.
    """

    example: ClassVar[str] = "{ check: resync, workload: feed, within: 5s }"
    workloads: ClassVar[Mapping[str, Need]] = {"events": NEED}
    anomalies: ClassVar[str] = "messages not caught up with"
    formal: ClassVar[str] = "eventual delivery after a reconnect"
    cannot_tell: ClassVar[str] = "Anything about a subscriber whose connection never broke."
    remedy: ClassVar[str] = (
        "Cut the subscribers off while messages are published, and leave time after the heal."
    )

    within: Duration = Duration(5)

    @property
    def bound(self) -> str:
        return f"<= {self.within}"

    def look(self, history: History) -> Judged:
        start, stop = history.window
        feed = channels(history.events)
        published = feed.published()
        found: list[Anomaly] = []
        judged = early = reconnects = 0
        slowest = 0.0
        for one in feed.subscribers:
            reconnects += len(one.connections) - 1
            for back, message in _missed(one, published):
                if not start <= back <= stop:
                    continue
                judged += 1
                known = one.known_at(message)
                took = float("inf") if known is None else known - back
                if known is not None and not above(took, self.within):
                    slowest = max(slowest, took)
                elif known is None and feed.end - back < self.within:
                    early += 1
                else:
                    found.append(_late(one, message, back, known))
        gap = None
        if not judged:
            gap = f"no subscriber of workload `{self.workload}` had to reconnect"
            if reconnects:
                gap = f"nothing of workload `{self.workload}` was missed between reconnects"
        elif early:
            gap = (
                f"{count(early, 'message')} of workload `{self.workload}` had less than "
                f"{self.within} to be caught up with before the end; use a longer `settle`"
            )
        measured = (
            f"caught up in {seconds_text(slowest, self.within)} (of {count(judged, 'message')})"
        )
        if found:
            measured = f"{len(found)} not caught up (of {count(judged, 'message')})"
        return Judged(
            found,
            judged,
            measured,
            sentence=(
                f"{len(found)} of {count(judged, 'message')} of workload `{self.workload}` that "
                f"subscribers had missed were not known {self.within} after they were back"
            ),
            gap=gap or foreign_messages(feed, self.workload),
        )


def _missed(one: Subscriber, published: Sequence[Published]) -> Iterator[tuple[float, Published]]:
    """Yield each message missed at a reconnect, once, with when the subscriber was back."""
    since = one.connections[0].place
    place = 0
    for connection in one.connections[1:]:
        while place < len(published) and published[place].acknowledged < connection.place:
            message = published[place]
            place += 1
            if message.sent > since and one.follows(message.channel):
                known = one.known_at(message)
                if known is None or known >= connection.start:
                    yield connection.start, message


def _late(one: Subscriber, message: Published, back: float, known: float | None) -> Anomaly:
    when = "never" if known is None else f"only at {moment(known)}"
    text = (
        f"MISSED {plain(message.number)}{about(message.begin.key)}: published at "
        f"{moment(message.end.t)}, subscriber {one.process} was back at {moment(back)} and knew "
        f"it {when}"
    )
    return Anomaly(message.end.t, text)
