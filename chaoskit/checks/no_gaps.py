"""Whether subscribers get every message."""

from __future__ import annotations

from typing import ClassVar

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment, percent
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks.histories.channels import Channels, Published, Subscriber, channels
from chaoskit.checks.histories.operations import about, plain
from chaoskit.fields import Duration, Percentage
from chaoskit.records import Evidence, Finding

NEED = Need(writes=("publish",), reads=("receive",))


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
    workloads: ClassVar[tuple[str, ...]] = ("events",)
    formal: ClassVar[str] = "at-least-once delivery, broken to at-most-once"
    cannot_tell: ClassVar[str] = "Whether a subscriber that never came back should have."
    remedy: ClassVar[str] = "Publish and receive before, during and after the faults."

    within: Duration = Duration(1)
    at_most: Percentage = Percentage(0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {self.at_most} missing" if self.at_most else "none missing"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        heard = channels(events)
        found: list[Anomaly] = []
        judged = 0
        acknowledged = {
            what: (begin, end)
            for what, (begin, end) in heard.sent.items()
            if end is not None and window[0] <= events[end].t <= window[1]
        }
        first = min((begin for begin, _ in acknowledged.values()), default=0)
        for one in heard.subscribers:
            since, until = one.connections[0].start, self._until(one, heard)
            expected = acknowledged
            if events[first].t < since:
                expected = {
                    what: (begin, end)
                    for what, (begin, end) in acknowledged.items()
                    if events[begin].t >= since
                }
            # What it knows counts as judged, however late it was published.
            never_connected = expected.keys() - one.heard.keys()
            judged += len(expected) - len(never_connected)
            for what in never_connected:
                begin, end = expected[what]
                message = Published(*what, events[begin], events[end])
                if not one.follows(message.channel):
                    continue
                knows = one.known_at(message) is not None
                judged += knows or message.end.t <= until
                if not knows and message.end.t <= until:
                    found.append(_missing(one, message))
        found.sort(key=lambda one: one.at)
        share = f" ({percent(len(found), judged, self.at_most)})" if judged else ""
        told = Wording(
            noun="missing message",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'expected message')} of workload "
                f"`{self.workload}` never reached a subscriber{share}"
            ),
            formal=self.formal,
        )
        problem = gap(events, self, evidence.faults, NEED)
        if problem is None and heard.never_connected:
            problem = (
                f"subscriber {heard.never_connected[0]} of workload `{self.workload}` never got a "
                "connection; see its `subscribe`"
            )
        measured = f"{len(found)} missing (of {judged})"
        return finding(
            evidence, found, told, bound, problem, at_most=self.at_most, measured=measured
        )

    def _until(self, one: Subscriber, heard: Channels) -> float:
        """Return when the last message was acknowledged that a subscriber must know."""
        last = one.connections[-1]
        end = heard.end if last.end is None or one.reconnect_failed else last.end
        return end - self.within


def _missing(one: Subscriber, message: Published) -> Anomaly:
    state = "connected" if one.connected(message.end.t) else "away"
    text = (
        f"GAP {plain(message.number)}{about(message.begin.key)}: published at "
        f"{moment(message.end.t)}, never seen by subscriber {one.process}, which was {state} then"
    )
    return Anomaly(message.end.t, text)
