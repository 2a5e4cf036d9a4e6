"""How often something is delivered again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from pydantic import Field

from chaoskit.checks._base import WorkloadCheck, check, unknown
from chaoskit.checks._enough import Need, gap
from chaoskit.checks._text import count, moment
from chaoskit.checks._told import Anomaly, Wording, finding, history_of
from chaoskit.checks._zones import Value
from chaoskit.checks.histories.channels import channels
from chaoskit.checks.histories.operations import Element, about, plain
from chaoskit.checks.histories.queue import DELIVERING, is_queue, queue_history
from chaoskit.records import Event, Evidence, Finding

QUEUE = Need(writes=("send",), reads=DELIVERING, saw=lambda value: value not in (None, []))
EVENTS = Need(writes=("publish",), reads=("receive",))


@check("at_most_n_duplicates")
class AtMostNDuplicates(WorkloadCheck):
    """Nothing is delivered more than once, except at most `n` times in all.

    A message that arrives three times counts two. For events it is counted per subscriber. `during`
    picks repetitions by when they were delivered. Usual causes: a redelivery after a crash before
    the acknowledgement, a sender that tries again after a lost reply.
    """

    example: ClassVar[str] = "{ check: at_most_n_duplicates, workload: jobs, n: 5 }"
    workloads: ClassVar[tuple[str, ...]] = ("queue", "events")
    formal: ClassVar[str] = "exactly-once delivery, broken to at-least-once"
    cannot_tell: ClassVar[str] = "Whether the receiver's work on a repetition was done twice."
    remedy: ClassVar[str] = "Receive more, before, during and after the faults."

    n: int = Field(default=0, ge=0)

    def judge(self, evidence: Evidence) -> Finding:
        bound = f"<= {count(self.n, 'duplicate')}" if self.n else "no duplicate"
        given = history_of(self, evidence)
        if isinstance(given, str):
            return unknown(bound, given)
        events, window = given
        queue = is_queue(events)
        judged, again = _queue(events, window) if queue else _events(events, window)
        found = [Anomaly(t, f"AGAIN {text} at {moment(t)}") for t, text in again]
        measured = (
            f"{count(len(found), 'duplicate')} (of {count(judged, 'delivery', 'deliveries')})"
        )
        problem = gap(events, self, evidence.faults, QUEUE if queue else EVENTS)
        if len(found) <= self.n and problem is None:
            found = []
        told = Wording(
            noun="duplicate",
            of=judged,
            sentence=(
                f"{len(found)} of {count(judged, 'delivery', 'deliveries')} of workload "
                f"`{self.workload}` {'was' if len(found) == 1 else 'were'} a repetition, "
                f"{self.n} allowed"
            ),
            formal=self.formal,
        )
        found = found if len(found) > self.n else []
        return finding(evidence, found, told, bound, problem, measured=measured)


Again: TypeAlias = tuple[int, list[tuple[float, str]]]  # deliveries, and when which came again


def _queue(events: Sequence[Event], window: tuple[float, float]) -> Again:
    history = queue_history(events)
    times: dict[Element, int] = {}
    again = []
    for value, (begin, end, _) in history.repeated:
        times[value] = times.get(value, 1) + 1
        t = events[end].t
        if window[0] <= t <= window[1]:
            again.append((t, f"{value}: {events[begin].op}, delivery {times[value]},"))
    first = len(history.delivered)
    if window[0] != float("-inf"):
        ends = (events[end].t for _, end, _ in history.delivered.values())
        first = sum(window[0] <= t <= window[1] for t in ends)
    return first + len(again), again


def _events(events: Sequence[Event], window: tuple[float, float]) -> Again:
    deliveries = 0
    again = []
    for one in channels(events).subscribers:
        deliveries += sum(window[0] <= t <= window[1] for t in one.heard.values())
        deliveries += sum(window[0] <= t <= window[1] for t, _ in one.repeated)
        seen: dict[tuple[Value, float], int] = {}
        for t, (channel, number) in one.repeated:
            times = seen[channel, number] = seen.get((channel, number), 1) + 1
            if window[0] <= t <= window[1]:
                shown = channel[1] if isinstance(channel, tuple) else channel
                who = f"subscriber {one.process}, delivery {times},"
                again.append((t, f"{plain(number)}{about(shown)}: {who}"))
    return deliveries, again
