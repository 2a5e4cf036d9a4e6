"""A fault is proven by what was recorded of it, whenever and by whomever that is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaoskit.exchange import Exchange
from chaoskit.faults import REGISTRY, Fault
from chaoskit.judge.proof import CUT_OFF, prove
from chaoskit.record.events import (
    CanaryExchanged,
    ConnectionsAccepted,
    EdgeRead,
    EffectCounted,
    EffectUnmeasured,
    FaultConcluded,
    FaultEvent,
    FaultHealed,
    FaultInjected,
    FaultNotInjected,
    FaultReceipt,
    FaultRechecked,
    HealFailed,
    Recorded,
)
from chaoskit.record.reader import FaultLog

EDGE = "chat -> redis:6379"
QUICK = Exchange("redis PING", "answered", 0.001, 14, 7, 1)
SLOW = Exchange("redis PING", "answered", 0.201, 14, 7, 1)


def fault(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, "id": "f", "for": "2s", **fields})


LATENCY = fault("latency", edge="chat -> redis", delay="200ms")
REFUSE = fault("refuse", edge="chat -> redis")
KILL = fault("kill", service="redis")
LOSS = fault("packet_loss", between=["chat", "redis"], percent="50%")

INJECTED = FaultInjected("f", "latency", "chat -> redis")
RECEIPT = FaultReceipt("f", True, "toxic f is there")
HELD = FaultRechecked("f", True, "toxic f is there")
HEALED = FaultHealed("f", "toxic f is gone")
NOTHING = "1ms before, 1ms during"
BEFORE = CanaryExchanged("f", EDGE, "before", QUICK)
DURING = CanaryExchanged("f", EDGE, "during", SLOW)
USED = ConnectionsAccepted("f", EDGE, 1, 3, 0)
UNUSED = ConnectionsAccepted("f", EDGE, 0, 0, 0)
WHOLE = [BEFORE, INJECTED, RECEIPT, DURING, HELD, HEALED, USED]


def log(events: Sequence[FaultEvent]) -> FaultLog:
    return FaultLog(Recorded(float(t), event) for t, event in enumerate(events))


def reason(kind: Fault, events: Sequence[FaultEvent]) -> str | None:
    return prove(kind, log(events)).reason


def test_a_fault_that_was_felt_and_used_is_proven_with_the_most_telling_first() -> None:
    after = CanaryExchanged("f", EDGE, "after", QUICK)
    proof = prove(LATENCY, log([*WHOLE, after]))
    assert proof.proven
    assert proof.evidence == (
        f"redis PING through {EDGE}: 1ms before, 201ms during, 1ms after",
        "toxic f is there",
        f"{EDGE} accepted 3 connections of its client meanwhile",
    )


def without(*events: FaultEvent) -> list[FaultEvent]:
    return [event for event in WHOLE if event not in events]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "it was never injected: the run ended before"),
        ([BEFORE, FaultNotInjected("f", "no proxy")], "could not be injected: no proxy"),
        ([BEFORE, INJECTED, RECEIPT, DURING], CUT_OFF),
        ([BEFORE, INJECTED, RECEIPT, DURING, FaultHealed("f", by="the guard")], CUT_OFF),
        (without(DURING), "it was healed before a canary through its edge could feel it"),
        (without(USED), "nothing used chat -> redis while it was in force"),
        ([*WHOLE, UNUSED], "nothing used chat -> redis while it was in force"),
        (
            [*without(HELD), FaultRechecked("f", False, "toxic f is missing")],
            "it was gone before its heal: toxic f is missing",
        ),
        (
            [*without(HEALED), HealFailed("f", "the proxy is wedged")],
            "it could not be healed: the proxy is wedged",
        ),
        (
            [*without(HELD), EffectUnmeasured("f", "docker went away")],
            "its effect could not be measured: docker went away",
        ),
        (
            [*without(DURING), CanaryExchanged("f", EDGE, "during", QUICK)],
            f"no canary through its edge felt it: redis PING through {EDGE}: {NOTHING}",
        ),
        (
            [
                *without(BEFORE),
                CanaryExchanged("f", EDGE, "before", Exchange("redis PING", "refused", 0.0)),
            ],
            "no canary through its edge was answered before the fault",
        ),
    ],
)
def test_what_is_missing_makes_it_unproven(events: Sequence[FaultEvent], why: str) -> None:
    assert reason(LATENCY, events) == why


def test_a_later_try_that_heals_makes_up_for_one_that_failed() -> None:
    events = [*without(HEALED), HealFailed("f", "wedged"), HEALED]
    assert prove(LATENCY, log(events)).proven


def test_what_another_process_heals_later_does_not_make_up_for_it() -> None:
    later = FaultHealed("f", by="`chaoskit recover`")
    events = [*without(HEALED), HealFailed("f", "wedged"), later]
    assert reason(LATENCY, events) == "it could not be healed: wedged"


@pytest.mark.parametrize(("moved", "proven"), [(90_000, True), (540, False)])
def test_bytes_on_connections_that_stay_open_are_use_unless_they_are_keep_alives(
    moved: int, proven: bool
) -> None:
    readings = [
        EdgeRead("f", EDGE, "before", 2, 0),
        EdgeRead("f", EDGE, "start", 2, 1000),
        EdgeRead("f", EDGE, "end", 2, 1000 + moved),
    ]
    assert prove(LATENCY, log([*without(USED), UNUSED, *readings])).proven == proven


def test_bytes_without_an_open_connection_are_not_of_the_client() -> None:
    readings = [
        EdgeRead("f", EDGE, "before", 0, 0),
        EdgeRead("f", EDGE, "start", 0, 0),
        EdgeRead("f", EDGE, "end", 0, 90_000),
    ]
    assert not prove(LATENCY, log([*without(USED), UNUSED, *readings])).proven


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1)])
def test_a_refused_client_was_there_before_or_came_back_afterwards(before: int, after: int) -> None:
    refused = CanaryExchanged("f", EDGE, "during", Exchange("redis PING", "refused", 0.0))
    around = ConnectionsAccepted("f", EDGE, before, 0, after)
    events = [BEFORE, INJECTED, RECEIPT, refused, HELD, HEALED]
    assert prove(REFUSE, log([*events, around])).proven
    assert not prove(REFUSE, log([*events, UNUSED])).proven


def test_a_fault_that_the_engine_shows_needs_no_canary() -> None:
    assert prove(KILL, log([INJECTED, RECEIPT, HELD, HEALED])).proven


def test_a_fault_that_no_canary_can_feel_is_counted_where_it_acts() -> None:
    events = [INJECTED, RECEIPT, HELD]
    counted = prove(LOSS, log([*events, EffectCounted("f", True, "12 packets dropped"), HEALED]))
    assert counted.proven
    assert counted.evidence[0] == "12 packets dropped"
    nobody = [*events, EffectCounted("f", False, "no packet dropped"), HEALED]
    assert reason(LOSS, nobody) == "nobody felt it: no packet dropped"
    missing = "its effect was not counted before its heal"
    assert reason(LOSS, [*events, HEALED]) == missing


def test_what_a_run_of_format_1_concluded_counts() -> None:
    said = FaultConcluded("f", True, None, ("a sentence",))
    proof = prove(LATENCY, log([INJECTED, HEALED, said]), recorded=False)
    assert (proof.proven, proof.evidence) == (True, ("a sentence",))
    unused = FaultConcluded("f", False, "nothing used it")
    assert prove(LATENCY, log([INJECTED, unused]), recorded=False).reason == "nothing used it"


def test_a_run_of_format_1_that_was_killed_concluded_nothing() -> None:
    assert prove(KILL, log([INJECTED, RECEIPT, HEALED]), recorded=False).reason == CUT_OFF
