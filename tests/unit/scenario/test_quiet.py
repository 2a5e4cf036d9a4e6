"""Quiet periods: where faults are cut, what each part is called, what cannot be kept."""

from __future__ import annotations

import pytest

from chaoskit.checks.recovery import RecoveryCheck
from chaoskit.fields import Duration
from chaoskit.records import Evidence, FaultWindow, Phase, Sample, Verdict
from chaoskit.scenario.quiet import stretches
from tests.unit.scenario.conftest import Desk

HEAD = "timeline:\n"


def parts(desk: Desk, faults: str, quiet: str) -> list[tuple[str, float, float | None, str | None]]:
    """Return name, start, length and predecessor of every injection."""
    old = (
        "    - { at: 0s, fault: restart, service: redis }\n"
        "    - { id: slow, at: 5s, for: 4s, fault: latency, edge: chat -> redis, delay: 300ms }\n"
    )
    text = desk.changed((old, faults), (HEAD, f"{HEAD}  quiet: {quiet}\n  hold: 2s\n"))
    found = desk.load(text).scenario.injections()
    return [(one.name, float(one.at or 0), one.for_, one.previous) for one in found]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 20, [(0, 20)]),
        (0, 21, [(0, 20)]),
        (0, 60, [(0, 20), (25, 40), (45, 60)]),
        (3, 30, [(3, 20), (25, 30)]),
        (20, 30, [(25, 30)]),
        (22, 24, []),
        (25, 30, [(25, 30)]),
        (19.5, 45.5, [(19.5, 20), (25, 40), (45, 45.5)]),
    ],
)
def test_nothing_is_in_force_in_a_quiet_period(
    start: float, end: float, expected: list[tuple[float, float]]
) -> None:
    class Quiet:
        every, for_ = Duration(20), Duration(5)

    assert list(stretches(start, end, Quiet())) == [pytest.approx(one) for one in expected]


def test_each_part_of_a_fault_is_an_injection_of_its_own(desk: Desk) -> None:
    slow = "    - { id: slow, at: 1s, for: 9s, fault: latency, edge: chat -> redis, delay: 1s }\n"
    assert parts(desk, slow, "{ every: 4s, for: 2s }") == [
        ("slow", 1, 3, None),
        ("slow.2", 6, 2, "slow"),
    ]


def test_what_falls_on_a_quiet_period_starts_after_it(desk: Desk) -> None:
    faults = (
        "    - { id: cut, at: 0s, for: 9s, fault: refuse, edge: chat -> redis }\n"
        "    - { id: again, at: 5s, fault: restart, service: redis }\n"
    )
    assert parts(desk, faults, "{ every: 4s, for: 2s }")[-1] == ("again", 6, None, None)


def test_a_fault_that_lasts_ends_when_all_do(desk: Desk) -> None:
    faults = (
        "    - { id: cut, at: 0s, for: 7s, fault: refuse, edge: chat -> redis }\n"
        "    - { id: slow, at: 1s, fault: latency, edge: chat -> redis, delay: 1s }\n"
    )
    assert parts(desk, faults, "{ every: 4s, for: 1s }") == [
        ("cut", 0, 4, None),
        ("cut.2", 5, 2, "cut"),
        ("slow", 1, 3, None),
        ("slow.2", 5, 3, "slow"),
    ]


def test_repetitions_are_cut_as_well(desk: Desk) -> None:
    faults = (
        "    - { id: cut, at: 0s, for: 3s, repeat: { every: 5s, times: 2 }, fault: refuse,"
        " edge: chat -> redis }\n"
    )
    assert parts(desk, faults, "{ every: 6s, for: 1s }") == [
        ("cut", 0, 3, None),
        ("cut-2", 5, 1, "cut"),
        ("cut-2.2", 7, 1, "cut-2"),
    ]


@pytest.mark.parametrize(
    ("quiet", "fault", "message"),
    [
        ("{ every: 2s, for: 2s }", "at: 0s, for: 9s", "`quiet.every` must be longer than `for`"),
        ("{ every: 2s, for: 0s }", "at: 0s, for: 9s", "`for` must be longer than zero"),
        ("{ every: 9s, for: 1s }", "at: 0s, for: 9s", "all faults are over after 9s, before the"),
        (
            "{ every: 4s, for: 1s }",
            "when: { probe: chat, is: failing }, for: 9s",
            "`slow` starts when something is observed: nobody knows beforehand into which parts",
        ),
        (
            "{ every: 4s, for: 1s }",
            "at: 3500ms, for: 4s",
            "quiet periods leave `slow` only 500ms from 3.5s on: too short to prove it",
        ),
    ],
)
def test_periods_that_cannot_be_kept_are_refused(
    desk: Desk, quiet: str, fault: str, message: str
) -> None:
    text = desk.changed(("at: 5s, for: 4s", fault), (HEAD, f"{HEAD}  quiet: {quiet}\n"))
    assert any(message in problem.message for problem in desk.problems(text))


@pytest.mark.parametrize(
    "start", ["when: { probe: chat, is: failing }", "after: { fault: restart, healed: true }"]
)
def test_a_fault_that_waits_is_repeated_in_place_of_being_cut(desk: Desk, start: str) -> None:
    waits = f"{start}, for: 2s"
    text = desk.changed(
        ("at: 5s, for: 4s", waits), (HEAD, f"{HEAD}  quiet: {{ every: 4s, for: 1s }}\n")
    )
    (problem,) = [one for one in desk.problems(text) if "quiet periods" in one.message]
    assert (
        problem.hint
        == "give it `at`; or leave `timeline.quiet` out and let `repeat` inject it again"
    )
    advised = desk.changed(("at: 5s, for: 4s", f"{waits}, repeat: {{ every: 5s, times: 2 }}"))
    names = [one.name for one in desk.load(advised).scenario.injections()]
    assert names == ["restart", "slow", "slow-2"]


def test_a_recovery_that_may_outlast_the_quiet_is_warned_of(desk: Desk) -> None:
    text = desk.changed(
        ("at: 5s, for: 4s", "at: 0s, for: 9s"),
        (HEAD, f"{HEAD}  quiet: {{ every: 4s, for: 1s }}\n"),
        ("expect:\n", "expect:\n  - { check: recovery, probe: chat, within: 2s }\n"),
    )
    warnings = {warning.code: warning for warning in desk.load(text).warnings()}
    assert warnings["quiet-too-short"].message == (
        "a recovery may take 2s, but the next injection comes after 1s of quiet"
    )


@pytest.mark.parametrize(("second", "verdict"), [(0.3, Verdict.PASS), (1.6, Verdict.FAIL)])
def test_recovery_is_judged_after_every_part(second: float, verdict: Verdict) -> None:
    windows = [FaultWindow("slow", "latency", "x", 1.0, 4.0)]
    windows.append(FaultWindow("slow.2", "latency", "x", 6.0, 8.0))
    back = {4.0: 4.3, 8.0: 8.0 + second}

    def outcome(t: float) -> bool:
        return not any(w.injected <= t < back[w.healed or 0.0] for w in windows)

    samples = [
        Sample("chat", t, t, t + 0.01, "ok" if outcome(t) else "fail")
        for t in (number / 10 for number in range(120))
    ]
    evidence = Evidence(
        [Phase("faults", 0, 10), Phase("settle", 10, 12)], windows, samples={"chat": samples}
    )
    check = RecoveryCheck.model_validate(
        {"check": "recovery", "probe": "chat", "fault": "slow", "within": "1s"}
    )
    assert check.judge(evidence).verdict is verdict
