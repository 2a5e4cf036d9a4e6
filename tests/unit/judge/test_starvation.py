"""What others took of the machine is not the app's: such a failure proves nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import pytest

from chaoskit.checks._base import Check
from chaoskit.checks.availability import Availability
from chaoskit.checks.latency import Latency
from chaoskit.checks.no_loss import NoLoss
from chaoskit.checks.recovery import RecoveryCheck
from chaoskit.judge.findings import findings_of
from chaoskit.judge.starvation import spells_of
from chaoskit.probes.tcp import TcpProbe
from chaoskit.record.events import HostLoad, Noted, Recorded, ResourcesSampled
from chaoskit.records import Event, Evidence, FaultWindow, Finding, Phase, Sample, Verdict
from chaoskit.scenario.document import Scenario

PROBES = {"p": TcpProbe.model_validate({"probe": "tcp", "url": "tcp://a:1", "timeout": "1s"})}
PHASES = (Phase("baseline", 0.0, 10.0), Phase("faults", 10.0, 12.0), Phase("settle", 12.0, 30.0))
FAULT = FaultWindow("down", "kill", "a", 10.0, 12.0, ("a",), ends_processes=True)
FAST = Latency.model_validate(
    {"check": "latency", "probe": "p", "max": "200ms", "during": "settle"}
)
GOOD = Availability.model_validate(
    {"check": "availability", "probe": "p", "at_least": "100%", "during": "settle"}
)
SOON = RecoveryCheck.model_validate({"check": "recovery", "probe": "p", "within": "3s"})


def look(t: float, waited: float, others: float | None = 0.8) -> Recorded:
    host = None if others is None else HostLoad(0.9, 7.0, 2, others)
    return Recorded(t, ResourcesSampled(host, {"a": 1}, {"a": waited, "b": waited / 2}))


def crowded(waited: float, others: float | None = 0.8) -> list[Recorded]:
    """Return looks every other second, all alike."""
    return [look(float(t), waited, others) for t in range(0, 32, 2)]


def sample(due: float, took: float = 0.01, *, bad: bool = False) -> Sample:
    return Sample("p", due, due, due + took, "fail" if bad else "ok")


def evidence(*samples: Sample) -> Evidence:
    others = {one.due: one for one in samples}
    dues = [index / 10 for index in range(300)]
    found = [others.get(due, sample(due, bad=10.0 <= due < 12.0)) for due in dues]
    return Evidence(PHASES, [FAULT], samples={"p": found})


def found(check: Check, seen: Evidence, looks: list[Recorded]) -> Finding:
    scenario = cast("Scenario", SimpleNamespace(probes=PROBES, expect=[check]))
    ((_, finding),), _ = findings_of(scenario, seen, spells_of(looks))
    return finding


def test_an_answer_that_is_late_by_no_more_than_was_waited_is_not_slow() -> None:
    slow = evidence(sample(20.0, 0.5))
    assert found(FAST, slow, []).verdict is Verdict.FAIL
    finding = found(FAST, slow, crowded(0.3))
    assert finding.verdict is Verdict.UNKNOWN
    assert (finding.reason or "").startswith(
        "this machine was too busy to tell: others used up to 80% of its CPUs, and `a` waited 300ms"
        " of 2s for one; the slowest sample of probe `p` is 500ms, above 200ms"
    )


@pytest.mark.parametrize(
    "looks",
    [crowded(0.05), crowded(0.3, 0.1), crowded(0.3, None), [look(2, 0.9), look(4, 0.9)]],
    ids=["waited less", "nobody else was there", "the load is not known", "at another time"],
)
def test_a_failure_that_this_does_not_explain_stays(looks: list[Recorded]) -> None:
    assert found(FAST, evidence(sample(20.0, 0.5)), looks).verdict is Verdict.FAIL


def test_timeouts_while_a_service_waited_are_not_the_app_s() -> None:
    dead = evidence(sample(21.5, 1.0, bad=True))
    assert found(GOOD, dead, crowded(0.1)).verdict is Verdict.FAIL
    assert found(GOOD, dead, crowded(0.3)).verdict is Verdict.UNKNOWN  # one sample, two looks
    many = evidence(*(sample(20.0 + index / 10, 1.0, bad=True) for index in range(50)))
    looks = [look(20, 0.1), look(22, 1.5)]
    assert found(GOOD, many, looks).verdict is Verdict.FAIL, "others failed when nobody waited"


def test_a_wrong_answer_that_came_at_once_is_the_app_s() -> None:
    wrong = evidence(sample(21.5, 0.02, bad=True))
    assert found(GOOD, wrong, crowded(1.9)).verdict is Verdict.FAIL


def test_what_waits_add_up_to_while_a_time_goes_by_counts() -> None:
    late = [sample(index / 10, 0.01, bad=True) for index in range(120, 160)]
    assert found(SOON, evidence(*late), []).verdict is Verdict.FAIL
    assert found(SOON, evidence(*late), crowded(0.4)).verdict is Verdict.UNKNOWN
    assert found(SOON, evidence(*late), crowded(0.1)).verdict is Verdict.FAIL


def test_what_never_came_back_never_came_back() -> None:
    for_ever = [sample(index / 10, 0.01, bad=True) for index in range(120, 300)]
    finding = found(SOON, evidence(*for_ever), crowded(0.4))
    assert finding.verdict is Verdict.FAIL
    assert finding.numbers is None or math.isinf(finding.numbers.measured)


def test_a_pass_needs_no_excuse_and_lost_data_have_none() -> None:
    assert found(FAST, evidence(), crowded(1.9)).verdict is Verdict.PASS
    history = [
        Event(1.0, "invoke", 0, "w", "add", None, 1, 0),
        Event(1.1, "ok", 0, "w", "add", None, 1, 0),
        Event(2.0, "invoke", 0, "w", "add", None, 2, 1),
        Event(2.1, "ok", 0, "w", "add", None, 2, 1),
        Event(20.0, "invoke", 0, "w", "read", None, None, 2),
        Event(20.1, "ok", 0, "w", "read", None, [1], 2),
    ]
    check = NoLoss.model_validate({"check": "no_loss", "workload": "w"})
    seen = Evidence(PHASES, [FAULT], history={"w": history})
    assert found(check, seen, crowded(1.9)).verdict is Verdict.FAIL


def test_looks_of_a_quiet_machine_and_other_events_are_no_spells() -> None:
    looks = [look(2, 0.5, 0.2), Recorded(3, Noted("a note")), look(4, 0.5), look(6, 0.7)]
    (first, second) = spells_of(looks)
    assert (first.start, first.end, first.service, first.waited) == (2, 4, "a", 0.5)
    assert (second.start, second.end, second.waited) == (4, 6, 0.7)
