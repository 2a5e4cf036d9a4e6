"""Whether anybody felt a fault, from samples and histories alone."""

from __future__ import annotations

from collections.abc import Callable

from chaoskit.judge.felt import unfelt
from chaoskit.records import Event, Evidence, FaultWindow, Phase, Sample

PHASES = (Phase("baseline", 0.0, 3.0), Phase("faults", 3.0, 8.0), Phase("settle", 8.0, 10.0))
FAULT = FaultWindow("slow", "latency", "a -> b", 4.0, 6.0)


def samples(
    bad: Callable[[float], bool] = lambda _due: False,
    took: Callable[[float], float] = lambda _due: 0.01,
) -> list[Sample]:
    dues = [index / 10 for index in range(100)]
    return [Sample("p", due, due, due + took(due), "fail" if bad(due) else "ok") for due in dues]


def felt(found: list[Sample], *events: Event, fault: FaultWindow = FAULT) -> bool:
    history = {"w": list(events)} if events else {}
    evidence = Evidence(PHASES, [fault], samples={"p": found}, history=history)
    return fault.id not in unfelt(evidence)


def test_nothing_changed_so_nobody_felt_it() -> None:
    evidence = Evidence(PHASES, [FAULT], samples={"p": samples()})
    assert unfelt(evidence) == {
        "slow": "no probe or operation changed while `slow` (latency a -> b) was in force"
    }


def test_that_nobody_was_connected_to_the_target_is_said_with_it() -> None:
    frozen = FaultWindow("frozen", "pause", "idle", 4.0, 6.0, ("idle",), unused=("idle",))
    evidence = Evidence(PHASES, [frozen], samples={"p": samples()})
    assert unfelt(evidence)["frozen"].endswith("; nobody was connected to `idle`")


def test_failing_meanwhile_is_felt() -> None:
    assert felt(samples(bad=lambda due: 4.5 < due < 4.7))


def test_slower_meanwhile_is_felt() -> None:
    assert felt(samples(took=lambda due: 0.3 if 4 <= due < 6 else 0.01))


def test_a_single_slow_answer_is_felt() -> None:
    assert felt(samples(took=lambda due: 0.3 if due == 5.0 else 0.01))


def test_failing_as_often_as_before_is_not_felt() -> None:
    assert not felt(samples(bad=lambda due: round(due * 10) % 10 == 0))


def test_an_operation_that_was_refused_meanwhile_felt_it() -> None:
    def call(number: int, t: float, end: str) -> list[Event]:
        return [
            Event(t, "invoke", 0, "w", "add", None, number, number),
            Event(t + 0.01, end, 0, "w", "add", None, number, number),  # type: ignore[arg-type]
        ]

    good = [event for number in range(9) for event in call(number, number + 0.5, "ok")]
    assert not felt(samples(), *good)
    bad = [event for n in range(9) for event in call(n, n + 0.5, "info" if n == 4 else "ok")]
    assert felt(samples(), *bad)


def test_what_sets_something_off_is_felt_afterwards() -> None:
    flush = FaultWindow("slow", "redis_flush", "redis", 4.0, 4.01, instant=True)
    assert felt(samples(bad=lambda due: 5 < due < 5.5), fault=flush)
    assert not felt(samples(), fault=flush)
