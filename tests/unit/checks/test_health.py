"""The functions that the runner uses to say per fault how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaoskit.checks._health import (
    clear,
    next_injection,
    stretches,
    time_to_detect,
    time_to_recover,
)

if TYPE_CHECKING:
    from tests.unit.checks.conftest import Build

FOREVER = float("inf")


def test_time_to_detect_and_to_recover_are_seconds(build: Build) -> None:
    samples = build.samples(lambda due: 10.2 <= due < 13.0)
    assert time_to_detect(samples, build.fault(), FOREVER) == pytest.approx(0.21)
    assert time_to_recover(samples, build.fault(), FOREVER) == pytest.approx(1.01)


def test_they_are_none_when_nothing_was_noticed_seen_or_healed(build: Build) -> None:
    assert time_to_detect(build.samples(), build.fault(), FOREVER) is None
    assert time_to_detect([], build.fault(), FOREVER) is None
    assert time_to_recover([], build.fault(), FOREVER) is None
    assert time_to_recover(build.samples(), build.fault(healed=None), FOREVER) is None
    assert time_to_recover(build.samples(), build.fault(), FOREVER) == 0.0


def test_a_failure_long_after_the_heal_is_no_detection(build: Build) -> None:
    fault = build.fault(healed=12.0)
    late = build.samples(lambda due: 12.5 <= due < 13.0)
    assert time_to_detect(late, fault, FOREVER, 0.45) is None
    assert time_to_detect(late, fault, FOREVER, 0.55) == pytest.approx(2.51)
    assert time_to_detect(late, build.fault(healed=None), FOREVER) == pytest.approx(2.51)
    begun = build.samples(lambda due: due == 11.9, took_bad=5.0)  # it ran into its deadline
    assert time_to_detect(begun, fault, FOREVER) == pytest.approx(6.9)


def test_until_hides_what_came_later(build: Build) -> None:
    samples = build.samples(lambda due: 11.0 <= due < 14.0)
    assert time_to_detect(samples, build.fault(), 10.9) is None
    assert time_to_recover(samples, build.fault(), 13.9) is None


def test_stretches_follow_the_due_time_not_the_end(build: Build) -> None:
    samples = build.samples(lambda due: due == 0.3, end=1.0, took_bad=5.0)
    samples.sort(key=lambda sample: sample.done)
    assert [(s.healthy, len(s.samples)) for s in stretches(samples)] == [
        (True, 3),
        (False, 1),
        (True, 6),
    ]


def test_next_injection_and_clear_look_at_the_other_faults(build: Build) -> None:
    first, second = build.fault(1.0, 5.0, "first"), build.fault(4.0, 8.0, "second")
    third = build.fault(7.0, 9.0, "third")
    faults = [first, second, third]
    assert next_injection(faults, first, 5.0) == 7.0
    assert next_injection(faults, third, 9.0) == FOREVER
    assert clear(faults, first) == 9.0
    assert clear(faults, third) == 9.0
    assert clear([first, build.fault(4.0, None, "second")], first) is None
