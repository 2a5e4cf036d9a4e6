"""Checks over containers and logs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chaoskit.records import ContainerEvent, LogGap, LogLine, Verdict

if TYPE_CHECKING:
    from tests.unit.checks.conftest import Build

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


def happened(t: float, action: str, exit_code: int | None = None) -> ContainerEvent:
    return ContainerEvent(t, "chat", 1, action, exit_code)


STARTED = happened(-1.5, "start")
DIED = happened(11.0, "die", 137)
BACK = happened(12.1, "start")


class TestStaysUp:
    def test_passes_when_only_its_start_was_reported(self, build: Build) -> None:
        found = build.judge("stays_up", build.evidence(containers=[STARTED]))
        assert (found.verdict, found.measured, found.bound) == (PASS, "up all the time", "stays up")

    def test_fails_when_it_died_by_a_fault_on_another_service(self, build: Build) -> None:
        events = [STARTED, DIED, BACK]
        evidence = build.evidence(containers=events, faults=[build.fault()])
        found = build.judge("stays_up", evidence)
        assert (found.verdict, found.measured) == (FAIL, "died 1x")
        assert found.witness == (
            "11.00 s: chat[1] died with exit code 137, during kill (kill redis) 10.0 - 12.0 s",
        )
        assert (found.at, found.services) == (11.0, ("chat",))

    def test_passes_when_the_fault_was_aimed_at_it_and_it_came_back(self, build: Build) -> None:
        events = [STARTED, DIED, BACK]
        evidence = build.evidence(containers=events, faults=[build.fault(target="chat")])
        found = build.judge("stays_up", evidence)
        assert (found.verdict, found.measured) == (PASS, "up, 1 death by faults")

    def test_fails_when_it_did_not_come_back_after_such_a_fault(self, build: Build) -> None:
        evidence = build.evidence(containers=[STARTED, DIED], faults=[build.fault(target="chat")])
        found = build.judge("stays_up", evidence)
        assert (found.verdict, found.measured) == (FAIL, "did not come back")

    def test_fails_when_it_dies_again_after_the_heal(self, build: Build) -> None:
        events = [STARTED, DIED, BACK, happened(14.0, "oom"), happened(14.0, "die", 137)]
        evidence = build.evidence(containers=events, faults=[build.fault(target="chat")])
        found = build.judge("stays_up", evidence)
        assert found.verdict is FAIL
        assert "ran out of memory at 14.00 s" in (found.reason or "")

    def test_allows_half_a_second_around_the_fault(self, build: Build) -> None:
        faults = [build.fault(target="chat")]
        for t, verdict in ((9.6, PASS), (9.4, FAIL)):
            events = [STARTED, replace(DIED, t=t), BACK]
            evidence = build.evidence(containers=events, faults=faults)
            assert build.judge("stays_up", evidence).verdict is verdict

    def test_start_up_and_teardown_do_not_count(self, build: Build) -> None:
        events = [STARTED, replace(DIED, t=-1.2), replace(DIED, t=20.5)]
        assert build.judge("stays_up", build.evidence(containers=events)).verdict is PASS

    def test_is_unknown_when_the_engine_said_nothing_of_it(self, build: Build) -> None:
        evidence = build.evidence(containers=[replace(STARTED, service="redis")])
        found = build.judge("stays_up", evidence)
        assert found.verdict is UNKNOWN
        assert "not even a start" in (found.reason or "")


def test_deaths_and_restarts_of_the_start_are_noted_beside_a_pass(build: Build) -> None:
    events = [STARTED, replace(DIED, t=-1.2), replace(BACK, t=-1.1), replace(DIED, t=-0.9)]
    evidence = build.evidence(containers=[*events, replace(BACK, t=-0.5)])
    up, again = (
        build.judge("stays_up", evidence),
        build.judge("restarts", evidence, service="chat", at_most=0),
    )
    assert (up.verdict, again.verdict) == (PASS, PASS)
    assert "service `chat` died 2 times while the stack started, first at -1.20 s" in up.notes[0]
    assert "`chat` was started again 2 times while the stack started" in again.notes[0]
    assert not build.judge("stays_up", evidence, during="settle").notes


def printed(*texts: str) -> list[LogLine]:
    return [LogLine(1.0 + n, "chat", text) for n, text in enumerate(texts)]


class TestLogs:
    def test_absent_looks_at_the_start_of_the_service_too(self, build: Build) -> None:
        evidence = build.evidence(logs=[LogLine(-1.4, "chat", "panic"), *printed("ready")])
        found = build.judge("logs", evidence, absent="panic")
        assert (found.verdict, found.measured) == (FAIL, "1 (of 2 lines)")
        assert "the first at -1.40 s, while the stack started" in (found.reason or "")
        assert build.judge("logs", evidence, absent="panic", during="baseline").verdict is PASS
        assert build.judge("logs", evidence, contains="panic", at_most=0).verdict is FAIL

    def test_what_was_printed_at_the_start_is_not_what_contains_asks_for(
        self, build: Build
    ) -> None:
        evidence = build.evidence(logs=[LogLine(-1.4, "chat", "redis_up"), *printed("ready")])
        found = build.judge("logs", evidence, contains="redis_up")
        assert (found.verdict, found.measured) == (FAIL, "0 (of 1 line)")

    def test_a_gap_while_the_stack_started_is_no_absence(self, build: Build) -> None:
        gaps = [LogGap("chat", -1.5, -1.0, "it was rotated")]
        evidence = build.evidence(logs=printed("hello"), gaps=gaps)
        assert build.judge("logs", evidence, absent="panic").verdict is UNKNOWN
        assert build.judge("logs", evidence, absent="panic", during="faults").verdict is PASS

    def test_absent_passes_on_a_log_without_such_a_line(self, build: Build) -> None:
        evidence = build.evidence(logs=printed("hello", "ready"))
        found = build.judge("logs", evidence, absent="Traceback")
        assert (found.verdict, found.measured, found.bound) == (PASS, "0 (of 2 lines)", "no line")

    def test_absent_fails_with_the_lines_as_witness(self, build: Build) -> None:
        lines = printed("ok", "Traceback (most recent call last):" + " x" * 200)
        found = build.judge("logs", build.evidence(logs=lines), absent="Trace.*call")
        assert found.verdict is FAIL
        assert found.reason == (
            "service `chat` printed 1 line matching `Trace.*call`, expected no line"
        )
        assert found.witness[0].startswith("2.00 s (outside every fault window): Traceback (most")
        assert len(found.witness[0]) < 220

    @pytest.mark.parametrize(
        ("fields", "verdict", "bound"),
        [
            ({}, PASS, ">= 1 line"),
            ({"at_least": 3}, FAIL, ">= 3 lines"),
            ({"at_least": 2}, PASS, ">= 2 lines"),
            ({"at_most": 2}, PASS, "<= 2 lines"),
            ({"at_most": 1}, FAIL, "<= 1 line"),
            ({"at_least": 1, "at_most": 1}, FAIL, "1 to 1 lines"),
        ],
    )
    def test_contains_counts(
        self, build: Build, fields: dict[str, Any], verdict: Verdict, bound: str
    ) -> None:
        evidence = build.evidence(logs=printed("retry 1", "retry 2", "done"))
        found = build.judge("logs", evidence, contains="^retry", **fields)
        assert (found.verdict, found.bound) == (verdict, bound)

    def test_on_an_empty_log_contains_fails_and_absent_says_little(self, build: Build) -> None:
        evidence = build.evidence(logs=[])
        assert build.judge("logs", evidence, contains="x").verdict is FAIL
        found = build.judge("logs", evidence, absent="x")
        assert found.verdict is PASS
        assert found.notes == ("service `chat` printed nothing all run long: that says little",)

    def test_a_service_that_was_only_quiet_in_the_window_has_no_such_line(
        self, build: Build
    ) -> None:
        evidence = build.evidence(logs=[LogLine(1.0, "chat", "listening")])
        found = build.judge("logs", evidence, absent="panic", during="settle")
        assert found.verdict is PASS

    def test_a_log_that_was_not_collected_is_unknown(self, build: Build) -> None:
        found = build.judge("logs", build.evidence(), absent="x")
        assert found.verdict is UNKNOWN
        assert found.reason == "the log of service `chat` was not collected"

    def test_looks_only_into_its_window(self, build: Build) -> None:
        evidence = build.evidence(logs=[LogLine(15.0, "chat", "panic")])
        assert build.judge("logs", evidence, absent="panic", during="baseline").verdict is PASS
        assert build.judge("logs", evidence, absent="panic", during="settle").verdict is FAIL

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "give either"),
            ({"contains": "a", "absent": "b"}, "give either"),
            ({"absent": "a", "at_most": 3}, "go with `contains`"),
            ({"contains": "a", "at_least": 3, "at_most": 2}, "above"),
            ({"contains": "("}, "not a regular expression"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, build: Build, fields: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            build.check("logs", service="chat", **fields)

    @pytest.mark.parametrize(
        ("gap", "verdict"),
        [
            ((15.0, None), UNKNOWN),  # cut in the window
            ((-1.0, 0.5), UNKNOWN),  # the window begins in it
            ((-2.0, -1.5), PASS),  # over before it
            ((20.5, None), PASS),  # after it
        ],
    )
    def test_an_upper_bound_needs_a_log_without_gaps_in_its_window(
        self, build: Build, gap: tuple[float, float | None], verdict: Verdict
    ) -> None:
        gaps = [LogGap("chat", *gap, "it was cut"), LogGap("redis", 0.0, None, "another's")]
        evidence = build.evidence(logs=printed("hello"), gaps=gaps)
        found = build.judge("logs", evidence, contains="hello", at_least=1, at_most=1)
        assert found.verdict is verdict
        if verdict is UNKNOWN:
            assert found.reason == "the log of service `chat` may lack lines: it was cut"

    def test_what_was_found_counts_whatever_is_missing(self, build: Build) -> None:
        gaps = [LogGap("chat", 0.0, None, "it was cut")]
        evidence = build.evidence(logs=printed("panic"), gaps=gaps)
        assert build.judge("logs", evidence, absent="panic").verdict is FAIL
        assert build.judge("logs", evidence, contains="panic").verdict is PASS
        assert build.judge("logs", evidence, contains="panic", at_least=2).verdict is UNKNOWN
        assert build.judge("logs", evidence, contains="panic", at_most=1).verdict is UNKNOWN

    def test_a_log_that_nothing_can_read_is_unknown_and_says_why(self, build: Build) -> None:
        gaps = [LogGap("chat", -2.0, None, "its log driver `none` keeps nothing to read")]
        found = build.judge("logs", build.evidence(gaps=gaps), absent="x")
        assert found.verdict is UNKNOWN
        assert "log driver `none`" in (found.reason or "")

    def test_many_lines_are_counted_and_five_are_shown(self, build: Build) -> None:
        found = build.judge("logs", build.evidence(logs=printed(*["panic"] * 9)), absent="panic")
        assert found.measured == "9 (of 9 lines)"
        assert len(found.witness) == 6
        assert found.witness[-1] == "... and 4 more"
