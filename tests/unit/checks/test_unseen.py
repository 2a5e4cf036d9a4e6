"""A pass about a fault needs samples inside it: where nobody looked, nothing was proven."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaoskit.checks._base import REGISTRY
from chaoskit.records import Event, Evidence, Sample, Verdict
from tests.unit.checks.conftest import PHASES, Build

PROBE_CHECKS: dict[str, dict[str, Any]] = {
    "availability": {"at_least": "99%"},
    "latency": {"p99": "1s"},
    "downtime": {"at_most": "100ms"},
    "recovery": {"within": "1s"},
}


def check(name: str, **fields: Any) -> Any:
    kind = REGISTRY.get(name)
    assert kind is not None
    return kind.model_validate({"check": name, **fields})


@pytest.mark.parametrize("name", PROBE_CHECKS)
def test_a_restart_between_two_samples_is_unknown(name: str, build: Build) -> None:
    restart = replace(build.fault(10.2, 10.6, "restart", "restart"), ends_processes=True)
    once_a_second = build.samples(every=1.0, probe="p")
    evidence = build.evidence(samples=once_a_second, faults=[restart])
    found = check(name, probe="p", **PROBE_CHECKS[name]).judge(evidence)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason == (
        "no sample of probe `p` was under way while fault `restart` was in force (400ms); "
        "look more often"
    )
    slow = [*once_a_second, Sample("p", 9.5, 9.5, 10.3, "ok")]
    evidence = build.evidence(samples=slow, faults=[restart])
    found = check(name, probe="p", **PROBE_CHECKS[name]).judge(evidence)
    assert found.verdict is Verdict.PASS, "one that was under way when it began has met it"


def test_a_failure_stays_a_failure_though_nobody_looked_meanwhile(build: Build) -> None:
    samples = build.samples(lambda due: due > 11, every=1.0, probe="p")
    evidence = build.evidence(samples=samples, faults=[build.fault(10.2, 10.6)])
    assert check("availability", probe="p", at_least="99%").judge(evidence).verdict is Verdict.FAIL


def test_what_only_sets_something_off_is_seen_afterwards(build: Build) -> None:
    flush = replace(build.fault(10.21, 10.22, "flush", "redis_flush"), instant=True)
    evidence = build.evidence(samples=build.samples(probe="p"), faults=[flush])
    assert check("availability", probe="p", at_least="99%").judge(evidence).verdict is Verdict.PASS


def test_a_check_of_another_window_needs_no_sample_in_the_fault(build: Build) -> None:
    samples = build.samples(every=1.0, probe="p")
    evidence = build.evidence(samples=samples, faults=[build.fault(10.2, 10.6)])
    found = check("availability", probe="p", at_least="99%", during="baseline").judge(evidence)
    assert found.verdict is Verdict.PASS


def test_a_check_about_one_fault_needs_samples_in_that_one(build: Build) -> None:
    faults = [build.fault(5.2, 5.6, "unseen"), build.fault(10.0, 12.0, "seen")]
    samples = build.samples(every=1.0, probe="p")
    evidence = build.evidence(samples=samples, faults=faults)
    one = check("recovery", probe="p", within="1s", fault="seen")
    assert one.judge(evidence).verdict is Verdict.PASS
    every = check("recovery", probe="p", within="1s")
    assert "`unseen`" in str(every.judge(evidence).reason)


def test_operations_have_to_meet_the_fault_as_samples_do(build: Build) -> None:
    def call(number: int, t: float) -> list[Event]:
        return [
            Event(t, "invoke", 0, "w", "call", None, None, number),
            Event(t + 0.01, "ok", 0, "w", "call", None, None, number),
        ]

    events = [event for number in range(20) for event in call(number, float(number))]
    evidence = Evidence(PHASES, [build.fault(10.2, 10.6)], history={"w": events})
    found = check("availability", workload="w", at_least="99%").judge(evidence)
    assert found.verdict is Verdict.UNKNOWN
    assert str(found.reason).startswith("no operation of workload `w` was under way")


class TestDetection:
    def test_a_failure_that_comes_without_any_fault_too_proves_nothing(self, build: Build) -> None:
        def blips(due: float) -> bool:
            return due % 1.6 < 0.15

        samples = build.samples(blips, every=0.05, probe="p")
        evidence = build.evidence(samples=samples, faults=[build.fault(10.0, 12.0)])
        found = check("detection", probe="p", within="3s").judge(evidence)
        assert found.verdict is Verdict.UNKNOWN
        assert "without any fault: its failure proves nothing" in str(found.reason)

    def test_one_failure_long_ago_does_not_make_a_quick_detection_doubtful(
        self, build: Build
    ) -> None:
        samples = build.samples(
            lambda due: 1.0 <= due < 1.05 or 10 <= due < 12, every=0.05, probe="p"
        )
        evidence = build.evidence(samples=samples, faults=[build.fault(10.0, 12.0)])
        assert check("detection", probe="p", within="200ms").judge(evidence).verdict is Verdict.PASS
