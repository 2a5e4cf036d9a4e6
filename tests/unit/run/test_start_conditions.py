"""Gated starts: a fault waits for what it was told to wait for, and says so when it never comes."""

from __future__ import annotations

import asyncio

import pytest
import yaml

from chaoskit.faults import REGISTRY, Fault
from chaoskit.record.writer import LiveCounts, ProbeCount
from chaoskit.records import Sample
from chaoskit.run.injector import Injection
from chaoskit.run.start_conditions import Starts
from tests.fakes import virtual_time
from tests.fakes.virtual_time import virtual


def fault(text: str) -> Fault:
    data = yaml.safe_load(text)
    kind = REGISTRY.get(data["fault"])
    assert kind is not None
    return kind.model_validate(data)


def starts(counts: LiveCounts, count: int = 0, others: list[Injection] | None = None) -> Starts:
    return Starts(virtual_time.clock(), counts, lambda _: count, others or [])


def tally(outcome: str) -> ProbeCount:
    sample = Sample("cache", 0, 0, 0, outcome)  # type: ignore[arg-type]
    return ProbeCount(samples=1, last=sample)


@virtual
async def test_a_fault_waits_for_a_probe_to_fail() -> None:
    counts = LiveCounts({"cache": tally("ok")})
    waiting = asyncio.create_task(
        starts(counts).wait(
            fault("{fault: kill, service: redis, when: {probe: cache, is: failing}}"), 0
        )
    )
    await asyncio.sleep(7)
    assert not waiting.done()
    counts.probes["cache"] = tally("fail")
    assert await waiting is None
    assert virtual_time.now() <= 7.02  # the next look


@virtual
async def test_an_unmet_condition_is_a_reason_in_words() -> None:
    gated = fault(
        "{fault: kill, service: redis, when: {workload: members, acknowledged: 5, timeout: 50ms}}"
    )
    reason = await starts(LiveCounts(), count=4).wait(gated, 0)
    assert reason == (
        "its start was not reached within 50ms: when workload members has 5 acknowledged writes"
    )
    assert 0.05 <= virtual_time.now() <= 0.08
    assert await starts(LiveCounts(), count=5).wait(gated, 0) is None


@virtual
async def test_a_fault_follows_the_heal_of_another() -> None:
    first = Injection(fault("{id: slow, fault: kill, service: redis, for: 1s}"))
    gated = fault("{fault: pause, service: redis, after: {fault: slow, healed: true}}")
    waiting = asyncio.create_task(starts(LiveCounts(), others=[first]).wait(gated, 0))
    first.injected_at = 0.0
    await asyncio.sleep(7)
    assert not waiting.done()
    first.healed_at = 7.0
    assert await waiting is None
    assert virtual_time.now() <= 7.02


@virtual
async def test_a_fault_does_not_follow_one_that_gave_up() -> None:
    first = Injection(fault("{id: slow, fault: kill, service: redis}"), gave_up=True)
    gated = fault("{fault: pause, service: redis, after: {fault: slow, injected: true}}")
    reason = await starts(LiveCounts(), others=[first]).wait(gated, 0)
    assert reason == "its start was not reached: fault `slow` did not get that far"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at: 1s, when: {probe: a, is: failing}", "one of `at`, `when` and `after`"),
        ("when: {probe: a}", "`when` is"),
        ("when: {probe: a, is: failing, workload: b, acknowledged: 1}", "`when` is"),
        ("after: {fault: x}", "needs `injected: true` or `healed: true`"),
        ("after: {fault: x, healed: true, injected: true}", "needs `injected: true`"),
        ("for: 2s, repeat: {times: 3, every: 2s}", "must be longer than `for`"),
    ],
)
def test_contradictory_starts_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="Value error") as caught:
        fault(f"{{fault: kill, service: redis, {text}}}")
    assert message in str(caught.value)


def test_a_repeated_fault_becomes_injections_with_ids_of_their_own() -> None:
    repeated = fault(
        "{id: slow, fault: kill, service: redis, at: 1s, repeat: {times: 3, every: 5s}}"
    )
    assert [(one.name, float(one.at or 0)) for one in repeated.repetitions()] == [
        ("slow", 1.0),
        ("slow-2", 6.0),
        ("slow-3", 11.0),
    ]


def test_a_repeated_gated_fault_follows_its_first_injection() -> None:
    text = (
        "{id: s, fault: kill, service: r, when: {probe: a, is: failing},"
        " repeat: {times: 2, every: 5s}}"
    )
    first, second = fault(text).repetitions()
    assert first.when is not None
    assert second.start == "5s after s is injected"


@virtual
async def test_a_repetition_waits_for_the_heal_of_the_one_before_it() -> None:
    text = "{id: s, fault: pause, service: r, at: 1s, for: 2s, repeat: {times: 2, every: 2100ms}}"
    first, second = (Injection(one) for one in fault(text).repetitions())
    first.injected_at = 1.0
    waiting = asyncio.create_task(
        starts(LiveCounts(), others=[first, second]).wait(second.fault, 0)
    )
    await asyncio.sleep(3.5)  # it is due at 3.1 s, and the first is slow to heal
    assert not waiting.done()
    first.healed_at = 3.5
    assert await waiting is None
    assert virtual_time.now() <= 3.53


@virtual
async def test_a_repetition_does_not_wait_for_one_that_will_not_be_healed() -> None:
    text = "{id: s, fault: pause, service: r, at: 1s, for: 2s, repeat: {times: 2, every: 2100ms}}"
    first, second = (Injection(one) for one in fault(text).repetitions())
    first.gave_up = True
    assert await starts(LiveCounts(), others=[first, second]).wait(second.fault, 0) is None
    assert virtual_time.now() <= 3.13
