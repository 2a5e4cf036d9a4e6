"""Operations are judged from when they were due, and what was never sent is no evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaoskit.checks._base import REGISTRY
from chaoskit.checks._schedule import Sent, sent_of_due, too_few_sent
from chaoskit.records import Event, Evidence, Finding, Omitted, Phase, Schedule, Verdict

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
PHASES = (Phase("baseline", 0, 2), Phase("faults", 2, 7), Phase("settle", 7, 10))


def calls(
    sent: Sequence[tuple[float, float, float]], how: Any = "ok", op: str = "call"
) -> list[Event]:
    """Return a history of operations that were due, sent and done at these times."""
    found = []
    for number, (due, begun, done) in enumerate(sent):
        found.append(Event(begun, "invoke", 0, "w", op, None, None, number, None, due))
        found.append(Event(done, how, 0, "w", op, None, None, number))
    return found


def hanging(rate: int = 50, *, clients: int = 1, took: float = 0.005) -> list[Event]:
    """Return 10 s of calls of an app that hangs from 3 s to 7 s, and clients that catch up."""
    free, found = [0.0] * clients, []
    for number in range(10 * rate):
        due = number / rate
        begun = max(due, min(free))
        if begun >= 10:
            break
        done = begun + took
        if done > 3 and begun < 7:
            done = 7 + took
        free[free.index(min(free))] = done
        found.append((due, begun, done))
    return calls(found)


def omitted_after(events: Sequence[Event], rate: int = 50) -> tuple[Omitted, ...]:
    sent = len(events) // 2
    if sent == 10 * rate:
        return ()
    return (Omitted("call", 10 * rate - sent, sent / rate, 10 - 1 / rate),)


def judge(
    kind: str, events: Sequence[Event], omitted: tuple[Omitted, ...] = (), **fields: Any
) -> Finding:
    found = REGISTRY.get(kind)
    assert found is not None
    timeout = fields.pop("timeout", 20.0)
    evidence = Evidence(
        PHASES, [], history={"w": events}, schedules={"w": Schedule(0.0, 10.0, timeout, omitted)}
    )
    return found.model_validate({"check": kind, "workload": "w", **fields}).judge(evidence)


class TestLatency:
    def test_a_hang_that_the_one_client_waited_out_is_seconds_long_from_due(self) -> None:
        events = hanging()
        found = judge("latency", events, p99="1s")
        assert found.verdict is FAIL
        assert found.measured == "p99 3.93s from due, p99 5ms from sent (of 500)"

    def test_what_was_never_sent_waited_until_the_run_stopped(self) -> None:
        events = hanging(took=0.05)
        omitted = omitted_after(events)
        assert [one.count for one in omitted] == [380]
        found = judge("latency", events, omitted, p99="1s")
        assert found.verdict is FAIL
        assert found.measured == "p99 7.59s from due, p99 50ms from sent (of 500, 380 never sent)"
        assert "never sent, because every client was busy" in (found.reason or "")

    def test_a_pass_over_a_load_that_did_not_happen_is_unknown(self) -> None:
        events = hanging(took=0.05)
        found = judge("latency", events, omitted_after(events), p99="10s")
        assert found.verdict is UNKNOWN
        assert found.reason == (
            "only 120 of the 500 operations `call` of workload `w` that were due were sent: every "
            "client was busy; raise `clients`, or see why the answers take so long"
        )

    def test_enough_clients_measure_the_hang_without_being_late(self) -> None:
        found = judge("latency", hanging(clients=256), p99="10s")
        assert found.verdict is PASS
        assert found.measured == "p99 3.9s from due, p99 3.9s from sent (of 500)"

    def test_an_old_history_that_does_not_say_due_is_judged_from_sent(self) -> None:
        events = [Event(one.t, one.type, 0, "w", "call", None, None, one.id) for one in hanging()]
        found = judge("latency", events, p99="1s")
        assert (found.verdict, found.measured) == (
            PASS,
            "p99 5ms from due, p99 5ms from sent (of 500)",
        )


class TestAvailability:
    def test_an_answer_after_the_user_gave_up_is_none(self) -> None:
        found = judge("availability", hanging(), at_least="99%", timeout=2.0)
        assert found.verdict is FAIL
        assert found.measured == "73.2% (of 500)"
        assert "answered 4s after it was due" in found.witness[0]

    def test_an_answer_within_the_timeout_is_one_however_slow(self) -> None:
        found = judge("availability", hanging(), at_least="99%", timeout=5.0)
        assert (found.verdict, found.measured) == (PASS, "100% (of 500)")

    def test_clients_that_are_too_few_are_no_outage_and_no_pass(self) -> None:
        events = calls([(n / 50, n / 10, n / 10 + 0.1) for n in range(100)])  # nobody hangs
        for timeout in (1.0, 20.0):
            found = judge(
                "availability", events, omitted_after(events), at_least="99%", timeout=timeout
            )
            assert found.verdict is UNKNOWN
            assert "only 100 of the 500 operations `call`" in (found.reason or "")

    def test_a_load_that_fails_where_it_happened_fails(self) -> None:
        events = calls([(n / 50, n / 10, n / 10 + 0.1) for n in range(100)], "fail")
        found = judge("availability", events, omitted_after(events), at_least="99%")
        assert found.verdict is FAIL

    def test_the_last_operation_may_be_due_when_the_run_stops(self) -> None:
        events = calls([(n, n, n + 0.1) for n in range(3)])
        omitted = (Omitted("call", 1, 9.9, 9.9),)
        found = judge("availability", events, omitted, at_least="100%")
        assert (found.verdict, found.measured) == (PASS, "100% (of 3)")

    def test_a_window_of_which_nothing_was_sent_is_unknown(self) -> None:
        events = hanging(took=0.05)
        found = judge("availability", events, omitted_after(events), at_least="1%", during="settle")
        assert found.verdict is UNKNOWN

    def test_a_window_of_which_all_was_sent_passes(self) -> None:
        events = hanging(took=0.02)  # 50/s, and no time to catch up
        omitted = omitted_after(events)
        found = judge("availability", events, omitted, at_least="99%", during="baseline")
        assert (found.verdict, found.measured) == (PASS, "100% (of 101)")
        found = judge("availability", events, omitted, at_least="99%", during="settle")
        assert found.verdict is UNKNOWN


class TestSentOfDue:
    def test_only_the_schedule_counts_and_each_kind_alone(self) -> None:
        events = [
            *calls([(-0.5, -0.5, -0.4)], op="read"),  # before the first write
            *calls([(n, n, n) for n in range(10)], op="add"),
            *calls([(4.0, 4.0, 4.1)], op="read"),
            *calls([(12.0, 12.0, 12.1)] * 9, op="read"),  # after the run
            Event(5, "invoke", 0, "w", "receive", None, 1, 99),  # came by itself
        ]
        schedule = Schedule(0.0, 10.0, 2.0, (Omitted("read", 4, 5.0, 8.0),))
        evidence = Evidence(PHASES, [], history={"w": events}, schedules={"w": schedule})
        assert sent_of_due(evidence, "w") == {"add": Sent(10, 10), "read": Sent(1, 5)}
        assert sent_of_due(evidence, "w", "read", (6.0, 7.5)) == {"read": Sent(0, 2)}
        assert "only 1 of the 5 operations `read`" in str(
            too_few_sent("w", sent_of_due(evidence, "w"))
        )

    @pytest.mark.parametrize(
        ("sent", "due", "enough"),
        [(0, 0, True), (0, 1, True), (0, 2, False), (8, 10, True), (79, 100, False), (1, 3, False)],
    )
    def test_four_fifths_are_enough(self, sent: int, due: int, enough: bool) -> None:
        assert Sent(sent, due).enough is enough

    def test_without_a_schedule_nothing_is_known(self) -> None:
        assert sent_of_due(Evidence(PHASES, [], history={"w": hanging()}), "w") == {}
