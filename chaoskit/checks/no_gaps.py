"""Whether subscribers get every message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoskit.checks._base import History, WorkloadCheck, check
from chaoskit.checks._coverage import Need
from chaoskit.checks._own_data import foreign_messages
from chaoskit.checks._wording import Anomaly, Judged
from chaoskit.checks.histories.channels import NEED, Channels, Published, Subscriber, channels
from chaoskit.checks.histories.operations import about, plain
from chaoskit.fields import Duration, Percentage
from chaoskit.text import count, in_brackets, moment


@check("no_gaps")
class NoGaps(WorkloadCheck):
    """Every subscriber comes to know every message that was acknowledged since it subscribed.

    By receiving it, or by a `resync` after a reconnect. Messages are not waited for that were
    acknowledged less than `within` before the end, or that came after a subscriber had gone and did
    not try to come back. `during` picks messages by when they were acknowledged, `at_most` allows a
    share of them to be missing. Usual causes: Redis pub/sub and websockets forget who is not
    connected.
    """

    example: ClassVar[str] = "{ check: no_gaps, workload: feed }"
    workloads: ClassVar[Mapping[str, Need]] = {"events": NEED}
    anomalies: ClassVar[str] = "missing messages"
    formal: ClassVar[str] = "at-least-once delivery, broken to at-most-once"
    cannot_tell: ClassVar[str] = "Whether a subscriber that never came back should have."
    remedy: ClassVar[str] = "Publish and receive before, during and after the faults."

    within: Duration = Duration(1)
    at_most: Percentage = Percentage(0)

    @property
    def bound(self) -> str:
        return f"<= {self.at_most} missing" if self.at_most else "none missing"

    def look(self, history: History) -> Judged:
        events, (start, stop) = history.events, history.window
        feed = channels(events)
        found: list[Anomaly] = []
        judged = 0
        acknowledged = {
            what: (begin, end)
            for what, (begin, end) in feed.sent.items()
            if end is not None and start <= events[end].t <= stop
        }
        first = min((begin for begin, _ in acknowledged.values()), default=0)
        for one in feed.subscribers:
            since, until = one.connections[0].place, self._until(one, feed)
            expected = acknowledged
            if first < since:
                expected = {
                    what: (begin, end)
                    for what, (begin, end) in acknowledged.items()
                    if begin > since
                }
            # What it knows counts as judged, however late it was published.
            not_received = expected.keys() - one.received.keys()
            judged += len(expected) - len(not_received)
            for what in not_received:
                begin, end = expected[what]
                message = feed.message(what, begin, end)
                if not one.follows(message.channel):
                    continue
                knows = one.known_at(message) is not None
                judged += knows or message.end.t <= until
                if not knows and message.end.t <= until:
                    found.append(_missing(one, message))
        found.sort(key=lambda one: one.at)
        gap = None
        if feed.never_connected:
            gap = (
                f"subscriber {feed.never_connected[0]} of workload `{self.workload}` never got a "
                "connection; see its `subscribe`"
            )
        return Judged(
            found,
            judged,
            measured=f"{len(found)} missing (of {judged})",
            sentence=(
                f"{len(found)} of {count(judged, 'expected message')} of workload "
                f"`{self.workload}` never reached a subscriber"
                f"{in_brackets(len(found), judged, self.at_most)}"
            ),
            at_most=self.at_most,
            gap=gap or foreign_messages(feed, self.workload),
        )

    def _until(self, one: Subscriber, feed: Channels) -> float:
        """Return when the last message was acknowledged that a subscriber must know."""
        last = one.connections[-1]
        end = feed.end if last.end is None or one.reconnect_failed else last.end
        return end - self.within


def _missing(one: Subscriber, message: Published) -> Anomaly:
    state = "connected" if one.connected(message.end.t) else "away"
    text = (
        f"GAP {plain(message.number)}{about(message.begin.key)}: published at "
        f"{moment(message.end.t)}, never seen by subscriber {one.process}, which was {state} then"
    )
    return Anomaly(message.end.t, text)
