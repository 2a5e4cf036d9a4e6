"""The steady state at the moment of injection, from samples alone."""

from __future__ import annotations

from chaoskit.judge.steady import lost_before
from chaoskit.records import FaultWindow, Sample

FAULT = FaultWindow("kill", "kill", "redis", 5.0, 7.0)


def samples(*bad: tuple[float, float]) -> list[Sample]:
    """Return a sample each 100 ms for 10 s; those due in one of these stretches fail."""
    found = []
    for index in range(100):
        due = index / 10
        fails = any(start <= due < end for start, end in bad)
        error = "status 503" if fails else None
        found.append(Sample("b", due, due, due + 0.01, "fail" if fails else "ok", error))
    return found


def test_a_probe_that_is_down_since_before_the_fault_is_named() -> None:
    (said,) = lost_before(
        [FAULT], {"b": samples((4.0, 10.0))}, {"b": "GET http://chat:8082/helthz"}
    )
    assert said == (
        "the steady state was lost before fault `kill`: probe `b` was failing since 4.01 s "
        "(status 503, GET http://chat:8082/helthz)"
    )


def test_failing_only_from_the_injection_on_is_what_a_fault_is_for() -> None:
    assert lost_before([FAULT], {"b": samples((5.0, 7.0))}, {}) == []
    assert lost_before([FAULT], {"b": samples((5.1, 10.0))}, {}) == []


def test_what_was_good_again_before_the_injection_is_no_loss() -> None:
    assert lost_before([FAULT], {"b": samples((2.0, 3.0))}, {}) == []


def test_an_outage_of_an_earlier_fault_that_lasts_is_not_held_against_the_next_one() -> None:
    first = FaultWindow("first", "kill", "redis", 2.0, 3.0)
    assert lost_before([first, FAULT], {"b": samples((2.5, 10.0))}, {}) == []


def test_a_probe_that_fails_by_itself_between_two_faults_is_named_for_the_second() -> None:
    first = FaultWindow("first", "kill", "redis", 1.0, 2.0)
    (said,) = lost_before([first, FAULT], {"a": samples(), "b": samples((4.0, 10.0))}, {})
    assert "before fault `kill`" in said
