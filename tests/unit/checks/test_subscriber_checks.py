"""What a silent feed proves: subscribers wait for messages, they cannot try to get one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaoskit.records import Event, Verdict

if TYPE_CHECKING:
    from tests.unit.checks.conftest import Build


def feed(heard: range) -> list[Event]:
    """Message n is published at n seconds, and one of `heard` is received a moment later."""
    events = [
        Event(0.1, "invoke", 9, "members", "subscribe", None, None, 1),
        Event(0.2, "ok", 9, "members", "subscribe", None, None, 1),
    ]
    for n in range(1, 20):
        events += [
            Event(n, "invoke", 0, "members", "publish", None, n, 10 * n),
            Event(n + 0.1, "ok", 0, "members", "publish", None, n, 10 * n),
        ]
    # What was published while it heard nothing comes at the end.
    for n in range(1, 20):
        at = n + 0.2 if n in heard else 19.5 + n / 100
        events += [
            Event(at, "invoke", 9, "members", "receive", None, None, 10 * n + 1),
            Event(at, "ok", 9, "members", "receive", None, n, 10 * n + 1),
        ]
    return sorted(events, key=lambda event: event.t)


def test_a_feed_that_was_silent_during_the_fault_is_judged(build: Build) -> None:
    fault = build.fault(9.9, 12.9)
    found = build.judge("no_gaps", build.evidence(history=feed(range(1, 10)), faults=[fault]))
    assert (found.verdict, found.reason) == (Verdict.PASS, None)


@pytest.mark.parametrize(
    ("heard", "when"), [(range(0), "before the first fault"), (range(1, 10), "after the last heal")]
)
def test_a_feed_that_was_silent_before_or_after_proves_nothing(
    build: Build, heard: range, when: str
) -> None:
    events = [event for event in feed(heard) if event.op != "receive" or event.t < 19.5]
    if not heard:
        events = feed(heard)
    fault = build.fault(9.9, 12.9)
    found = build.judge("no_gaps", build.evidence(history=events, faults=[fault]), at_most="100%")
    assert found.verdict is Verdict.UNKNOWN
    assert when in (found.reason or "")
