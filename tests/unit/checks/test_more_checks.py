"""Checks over values, starts and restarts, and over the operations of a load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaoskit.checks._base import REGISTRY
from chaoskit.records import (
    ContainerEvent,
    Event,
    Evidence,
    FaultWindow,
    Finding,
    Json,
    Phase,
    Sample,
    Verdict,
)

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
FAULT = FaultWindow("kill", "kill", "redis", 4.0, 6.0, ("redis",))
PHASES = (
    Phase("up", -5.0, -2.0),
    Phase("baseline", 0.0, 4.0),
    Phase("faults", 4.0, 6.0),
    Phase("settle", 6.0, 10.0),
)


def judge(
    check: str,
    *,
    values: Sequence[Json] = (),
    containers: Sequence[ContainerEvent] = (),
    history: Sequence[Event] = (),
    faults: Sequence[FaultWindow] = (FAULT,),
    **fields: Any,
) -> Finding:
    samples = [
        Sample("p", n, n, n + 0.01, "fail", "down")
        if v == "down"
        else Sample("p", n, n, n + 0.01, "ok", None, v)
        for n, v in enumerate(values)
    ]
    kind = REGISTRY.get(check)
    assert kind is not None
    evidence = Evidence(PHASES, faults, {"p": samples}, {"w": history}, containers)
    return kind.model_validate({"check": check, **fields}).judge(evidence)


class TestValue:
    def test_every_value_is_inside_the_bounds(self) -> None:
        found = judge("value", probe="p", values=[1, "2", 3.5, 2, 2], at_least=1, at_most=4)
        assert (found.verdict, found.measured) == (PASS, "1 to 3.5 (of 5)")
        assert found.bound == ">= 1, <= 4"
        found = judge("value", probe="p", values=[1, 2, 3, 9, 9, 1, 1], at_most=4)
        assert found.verdict is FAIL
        assert found.reason == (
            "2 of 7 values of probe `p` are not <= 4: 9 first, at 3.01 s, "
            "990ms before kill (kill redis) 4.0 - 6.0 s"
        )
        assert len(found.witness) == 2

    def test_the_mean_or_the_last_one_may_be_meant(self) -> None:
        values = [1, 2, 1, 2, 9]
        assert judge("value", probe="p", values=values, at_most=4, of="mean").verdict is PASS
        assert judge("value", probe="p", values=values, at_most=2, of="mean").verdict is FAIL
        assert judge("value", probe="p", values=values, equals=9, of="last").verdict is PASS
        assert judge("value", probe="p", values=[*"xxxxy"], equals="y", of="last").verdict is PASS

    def test_no_value_is_unknown(self) -> None:
        found = judge("value", probe="p", values=[None, "down"], at_most=4)
        assert found.reason == "no sample of probe `p` has a value in this window"

    def test_a_value_that_a_bound_of_its_own_probe_made_fail_is_judged(self) -> None:
        bad = Sample("p", 4.5, 4.5, 4.51, "fail", "`depth` is 300, not <= 100", 300)
        good = [Sample("p", t / 2, t / 2, t / 2 + 0.01, "ok", None, 5) for t in range(20)]
        evidence = Evidence(PHASES, (), {"p": sorted([*good, bad], key=lambda s: s.due)})
        for kind, bound in (("value", {"at_most": 200}), ("invariant", {"equals": 5})):
            checked = REGISTRY.get(kind)
            assert checked is not None
            fields = {"check": kind, "probe": "p"} | bound
            assert checked.model_validate(fields).judge(evidence).verdict is FAIL

    @pytest.mark.parametrize("fields", [{}, {"at_least": 2, "at_most": 1}])
    def test_bounds_must_make_sense(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="at_least"):
            judge("value", probe="p", **fields)


class TestInvariant:
    def test_holds_whenever_it_can_be_read(self) -> None:
        found = judge("invariant", probe="p", values=[5, 5, 5, 5, "down", 5, 5, 5], equals=5)
        assert (found.verdict, found.measured) == (PASS, "held (in 7 samples)")

    def test_says_when_it_was_broken_first_and_whether_it_still_is(self) -> None:
        found = judge("invariant", probe="p", values=[5, 5, 5, 5, 5, 4, 4, 4], equals=5)
        assert found.verdict is FAIL
        assert found.reason == (
            "the invariant of probe `p` (= 5) was broken in 3 of 8 samples: 4 first, at 5.01 s, "
            "during kill (kill redis) 4.0 - 6.0 s; it was still broken at the end"
        )

    def test_nobody_looked_before_or_after_is_unknown(self) -> None:
        early = judge("invariant", probe="p", values=[5, 5], equals=5)
        assert "after the last heal" in (early.reason or "")
        late = judge("invariant", probe="p", values=["down"] * 5 + [5] * 5, equals=5)
        assert "before the first fault" in (late.reason or "")


def started(t: float, service: str = "chat", action: str = "start") -> ContainerEvent:
    return ContainerEvent(t, service, 1, action)


class TestStarts:
    def test_the_stack_or_a_service_is_up_in_time(self) -> None:
        assert judge("startup", within="3s").measured == "3s"
        assert judge("startup", within="2.9s").verdict is FAIL
        events = [started(-4), started(-3, action="health_status: healthy")]
        found = judge("startup", within="1s", service="chat", containers=events)
        assert (found.verdict, found.measured) == (FAIL, "2s")
        assert judge("startup", within="1s", service="chat", containers=events[:1]).verdict is PASS
        assert judge("startup", within="1s", service="redis", containers=events).verdict is UNKNOWN

    def test_a_service_starts_after_another(self) -> None:
        events = [
            started(-4, "postgres"),
            started(-3.5, "chat"),
            started(-3, "postgres", "health_status: healthy"),
        ]
        fields: dict[str, Any] = {"service": "chat", "after": "postgres", "containers": events}
        found = judge("started_after", **fields)
        assert (found.verdict, found.measured) == (PASS, "500ms after")
        found = judge("started_after", **fields, condition="healthy")
        assert (found.verdict, found.measured) == (FAIL, "500ms before")
        found = judge("started_after", service="chat", after="redis", containers=events)
        assert found.reason == "service `redis` was never started"

    def test_restarts_are_counted_without_the_first_start(self) -> None:
        events = [started(-4), started(5), started(7)]
        assert judge("restarts", service="chat", at_most=2, containers=events).verdict is PASS
        found = judge("restarts", service="chat", at_most=1, containers=events)
        assert (found.verdict, found.measured) == (FAIL, "2 restarts")
        assert len(found.witness) == 2
        assert judge("restarts", service="chat", at_least=3, containers=events).verdict is FAIL
        settled = judge("restarts", service="chat", at_most=1, containers=events, during="settle")
        assert settled.measured == "1 restart"


def load() -> list[Event]:
    found = []
    for n in range(40):
        op, took = ("get", 0.1) if n % 2 else ("put", 0.2)
        how: Any = "fail" if n == 20 else "info" if n == 22 else "ok"
        t = n * 0.25
        found.append(Event(t, "invoke", 0, "w", op, None, None, n))
        found.append(Event(t + took, how, 0, "w", op, None, None, n, None if how == "ok" else "no"))
    return found


class TestOperationsAsSamples:
    def test_availability_counts_operations(self) -> None:
        found = judge("availability", workload="w", at_least="96%", history=load())
        assert (found.verdict, found.measured) == (FAIL, "95% (of 40)")
        assert found.reason == (
            "workload `w` was ok in 38 of 40 operations (95%), in 2 failing stretches"
        )
        only = judge("availability", workload="w", op="get", at_least="100%", history=load())
        assert (only.verdict, only.measured) == (PASS, "100% (of 20)")

    def test_latency_of_a_history_without_due_times_runs_from_the_invocation(self) -> None:
        found = judge("latency", workload="w", p99="150ms", history=load())
        assert (found.verdict, found.measured) == (
            FAIL,
            "p99 200ms from due, p99 200ms from sent (of 40, 2 failed)",
        )
        found = judge("latency", workload="w", op="get", max="150ms", history=load())
        assert found.verdict is PASS
        baseline = judge("latency", workload="w", p50="1s", history=load(), during="baseline")
        assert baseline.measured == "p50 200ms from due, p50 200ms from sent (of 17)"

    def test_either_a_probe_or_a_workload_is_named(self) -> None:
        wrong: list[dict[str, Any]] = [{}, {"probe": "p", "workload": "w"}]
        for fields in [*wrong, {"probe": "p", "op": "get"}]:
            with pytest.raises(ValueError, match="`workload`"):
                judge("availability", at_least="99%", **fields)
        found = judge("availability", workload="w", op="nope", at_least="99%", history=load())
        assert found.reason == "`nope` of workload `w` gave no operation in this window"
