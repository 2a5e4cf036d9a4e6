"""Samples that chaoskit itself sent or saw too late decide nothing, neither for nor against."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from chaoskit.checks._base import Check
from chaoskit.checks.availability import Availability
from chaoskit.checks.latency import Latency
from chaoskit.checks.recovery import RecoveryCheck
from chaoskit.judge.findings import findings_of, judged
from chaoskit.judge.lateness import weighed, without_late
from chaoskit.probes.tcp import TcpProbe
from chaoskit.records import Evidence, FaultWindow, Finding, Phase, Sample, Verdict
from chaoskit.scenario.document import Scenario

PROBES = {"p": TcpProbe.model_validate({"probe": "tcp", "url": "tcp://a:1", "timeout": "1s"})}
PHASES = (Phase("baseline", 0.0, 10.0), Phase("faults", 10.0, 12.0), Phase("settle", 12.0, 30.0))
FAULT = FaultWindow("down", "kill", "a", 10.0, 12.0, ("a",), ends_processes=True)
FAIL, PASS, UNKNOWN = Verdict.FAIL, Verdict.PASS, Verdict.UNKNOWN


def sample(due: float, *, late: float = 0.0, stalled: float = 0.0, bad: bool = False) -> Sample:
    sent = due + late
    if bad:
        return Sample("p", due, sent, sent + 1.0, "fail", "no answer within 1s", stalled=stalled)
    return Sample("p", due, sent, sent + 0.01 + stalled, "ok", stalled=stalled)


def evidence(*samples: Sample) -> Evidence:
    """What is judged: 300 samples, of which these replace the ones that were due then."""
    others = {one.due: one for one in samples}
    dues = [index / 10 for index in range(300)]
    found = [others.get(due, sample(due, bad=10.0 <= due < 12.0)) for due in dues]
    return Evidence(PHASES, [FAULT], samples={"p": found})


def found(check: Check, seen: Evidence) -> Finding:
    punctual, said = without_late(seen, PROBES)
    return weighed(judged(check, seen), judged(check, punctual), said.get("p", ""))


def test_what_was_late_by_less_than_half_of_its_timeout_is_evidence() -> None:
    seen = evidence(sample(2.0, late=0.4), sample(3.0, stalled=0.4))
    assert without_late(seen, PROBES) == (seen, {})


@pytest.mark.parametrize("late", [sample(9.0, late=0.8), sample(9.0, late=0.2, stalled=0.4)])
def test_lateness_and_a_stall_count_together(late: Sample) -> None:
    punctual, said = without_late(evidence(late), PROBES)
    assert len(punctual.samples["p"]) == 299
    took = f"up to {1000 * late.lateness:.0f}ms late"
    text = f"1 of 300 samples of probe `p` say nothing about it: chaoskit itself was {took}"
    assert said == {"p": text}


def test_failures_that_may_be_chaoskit_s_own_are_not_the_app_s() -> None:
    all_good = Availability.model_validate(
        {"check": "availability", "probe": "p", "at_least": "100%", "during": "settle"}
    )
    assert found(all_good, evidence(sample(20.0, bad=True))).verdict is FAIL
    finding = found(all_good, evidence(sample(20.0, late=0.8, bad=True)))
    assert finding.verdict is UNKNOWN
    assert (finding.reason or "").startswith("1 of 300 samples of probe `p` say nothing about it")


def test_answers_that_may_be_late_only_here_are_not_slow() -> None:
    fast = Latency.model_validate(
        {"check": "latency", "probe": "p", "max": "200ms", "during": "settle"}
    )
    assert found(fast, evidence(sample(20.0, late=0.8))).verdict is UNKNOWN


def test_a_recovery_that_only_late_samples_show_is_not_a_failure() -> None:
    soon = RecoveryCheck.model_validate({"check": "recovery", "probe": "p", "within": "3s"})
    late = [sample(index / 10, late=0.6) for index in range(120, 154)]
    assert judged(soon, evidence(*late)).verdict is PASS
    assert judged(soon, without_late(evidence(*late), PROBES)[0]).verdict is FAIL
    assert found(soon, evidence(*late)).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("late", "took", "verdict"), [(0.4, 0.1, UNKNOWN), (0.1, 0.4, FAIL), (0.0, 0.4, FAIL)]
)
def test_a_bound_that_is_missed_by_chaoskit_s_own_lateness_only_is_not_missed(
    late: float, took: float, verdict: Verdict
) -> None:
    """Less than half of the timeout is late enough where the bound is a third of it."""
    fast = Latency.model_validate(
        {"check": "latency", "probe": "p", "max": "300ms", "during": "settle"}
    )
    sent = 20.0 + late
    seen = evidence(Sample("p", 20.0, sent, sent + took, "ok"))
    scenario = cast("Scenario", SimpleNamespace(probes=PROBES, expect=[fast]))
    ((_, finding),), _ = findings_of(scenario, seen)
    assert finding.verdict is verdict
    if verdict is UNKNOWN:
        assert (finding.reason or "").startswith(
            "chaoskit itself was up to 400ms late; the slowest"
        )


def test_a_verdict_that_does_not_hang_on_them_stays() -> None:
    soon = RecoveryCheck.model_validate({"check": "recovery", "probe": "p", "within": "3s"})
    assert found(soon, evidence(sample(20.0, late=0.8))).verdict is PASS


def test_only_checks_of_the_probe_that_was_late_are_judged_twice() -> None:
    judging: list[str] = []

    class Counted(Availability):
        def judge(self, evidence: Evidence) -> Finding:
            judging.append(self.subject)
            return super().judge(evidence)

    def check(probe: str) -> Check:
        return Counted.model_validate({"check": "availability", "probe": probe, "at_least": "1%"})

    seen = evidence(sample(20.0, late=0.8))
    seen = replace(seen, samples={**seen.samples, "q": seen.samples["p"][:100]})
    scenario = SimpleNamespace(probes=PROBES, expect=[check("p"), check("q")])
    _, late = findings_of(cast("Scenario", scenario), seen)
    assert list(late) == ["p"]
    assert judging == ["p", "p", "q"]


def test_a_probe_that_the_scenario_does_not_have_is_left_alone() -> None:
    late = Sample("other", 1.0, 9.0, 9.1, "ok")
    seen = Evidence((), (), samples={"other": [late]})
    assert without_late(seen, PROBES) == (seen, {})
