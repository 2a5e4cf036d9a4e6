"""A fault is proven by what was recorded of it, whenever and by whomever that is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaoskit.exchange import Exchange, Traffic
from chaoskit.faults import REGISTRY, Fault
from chaoskit.judge.proof import CUT_OFF, prove, unanswered
from chaoskit.record.events import (
    CanaryExchanged,
    EdgeNotCounted,
    EdgeUsed,
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
USED = EdgeUsed("f", EDGE, Traffic(2.0, opened=3, attempts=3))
UNUSED = EdgeUsed("f", EDGE, Traffic(2.0))
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
        (without(DURING), f"it was healed before a canary through {EDGE} could feel it"),
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
            f"no canary through {EDGE} was answered before the fault",
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


@pytest.mark.parametrize(
    ("traffic", "evidence"),
    [
        (Traffic(2.0, opened=1), f"{EDGE} accepted 1 connection of its client meanwhile"),
        (Traffic(2.0, 1, requested=14), f"{EDGE} carried 14 bytes on open connections meanwhile"),
        (Traffic(2.0, 1, replied=7), f"{EDGE} carried 7 bytes on open connections meanwhile"),
        (Traffic(2.0, 1, pushed=9), f"9 bytes came for open connections of {EDGE} meanwhile"),
        (Traffic(2.0, 5), None),
        (Traffic(2.0, attempts=None), None),
    ],
)
def test_whatever_arrives_at_the_proxy_is_use_and_nothing_else(
    traffic: Traffic, evidence: str | None
) -> None:
    proof = prove(LATENCY, log([*without(USED), EdgeUsed("f", EDGE, traffic)]))
    assert proof.proven == (evidence is not None)
    assert evidence is None or evidence in proof.evidence


@pytest.mark.parametrize(
    ("traffic", "proven"),
    [
        (Traffic(2.0, 1), True),
        (Traffic(2.0, attempts=4), True),
        (Traffic(2.0), False),
        (Traffic(2.0, attempts=None), False),
    ],
)
def test_a_refused_client_was_connected_when_it_came_or_asked_meanwhile(
    traffic: Traffic, proven: bool
) -> None:
    refused = CanaryExchanged("f", EDGE, "during", Exchange("redis PING", "refused", 0.0))
    events = [BEFORE, INJECTED, RECEIPT, refused, HELD, HEALED, EdgeUsed("f", EDGE, traffic)]
    assert prove(REFUSE, log(events)).proven == proven


def test_use_that_could_not_be_counted_is_not_known() -> None:
    uncounted = EdgeNotCounted("f", EDGE, "the helper image is not here")
    assert reason(LATENCY, [*without(USED), uncounted]) == (
        "nothing used chat -> redis while it was in force; "
        f"whether anything used {EDGE} is not known: the helper image is not here"
    )
    assert prove(LATENCY, log([*without(USED), uncounted, USED])).proven


CUT = fault("partition", groups=[["chat"], ["redis", "api"]])
OTHER = "chat -> api:9000"
QUIET = CanaryExchanged("f", EDGE, "during", Exchange("redis PING", "silent", 1.0))


def test_each_edge_that_was_used_must_have_been_felt() -> None:
    before = CanaryExchanged("f", OTHER, "before", QUICK)
    untouched = CanaryExchanged("f", OTHER, "during", QUICK)
    silent = CanaryExchanged("f", OTHER, "during", QUIET.exchange)
    other_used = EdgeUsed("f", OTHER, Traffic(2.0, opened=9))
    one = [BEFORE, before, INJECTED, RECEIPT, QUIET, HELD, HEALED, USED]
    assert prove(CUT, log([*one, silent, other_used])).proven
    assert prove(CUT, log([*one, untouched])).proven  # nobody used the other one
    assert f"no canary through its edge felt it: redis PING through {OTHER}" in str(
        reason(CUT, [*one, untouched, other_used])
    )
    assert reason(CUT, [*one, other_used]) == (
        f"it was healed before a canary through {OTHER} could feel it"
    )
    late = [event for event in one if event is not before]
    assert reason(CUT, [*late, other_used]) == (
        f"no canary through {OTHER} was answered before the fault"
    )


def test_an_edge_that_nobody_used_proves_nothing_of_the_one_that_was_not_felt() -> None:
    before = CanaryExchanged("f", OTHER, "before", QUICK)
    untouched = CanaryExchanged("f", OTHER, "during", QUICK)
    other_used = EdgeUsed("f", OTHER, Traffic(2.0, opened=9))
    events = [BEFORE, before, INJECTED, RECEIPT, QUIET, untouched, HELD, HEALED, UNUSED, other_used]
    assert f"redis PING through {OTHER}" in str(reason(CUT, events))


def test_an_edge_of_several_whose_use_was_not_counted_must_have_been_felt() -> None:
    uncounted = EdgeNotCounted("f", OTHER, "its meter ended")
    one = [BEFORE, INJECTED, RECEIPT, QUIET, HELD, HEALED, USED]
    assert "its meter ended" in str(
        reason(CUT, [*one, CanaryExchanged("f", OTHER, "before", QUICK), uncounted])
    )


@pytest.mark.parametrize(
    ("kind", "traffic", "why"),
    [
        (
            fault("truncate", edge="chat -> redis", bytes="100KB"),
            Traffic(2.0, opened=500, active=500, replied=700_000, largest_reply=1400),
            "no connection of the client moved more than 1400B of replies, and 100000B are let",
        ),
        (
            fault("truncate", edge="chat -> redis", bytes="1KB", direction="request"),
            Traffic(2.0, opened=1, active=1, largest_request=40, largest_reply=90_000),
            "moved more than 40B of requests",
        ),
        (
            fault("bandwidth", edge="chat -> redis", rate="10MB/s"),
            Traffic(3.0, opened=1, active=1, largest_reply=100_000),
            "moved more than 100000B each way in 3s, which take 10ms at 10MB/s",
        ),
        (
            fault("fragment", edge="chat -> redis", size="8KB", delay="1ms"),
            Traffic(2.0, opened=9, active=9, largest_request=200, largest_reply=5000),
            "pieces are of 8000B",
        ),
        (
            fault("slow_close", edge="chat -> redis", delay="1s"),
            Traffic(2.0, 3, active=3, requested=900),
            "opened no connection",
        ),
        (
            fault("reset", edge="chat -> redis"),
            Traffic(2.0, opened=2),
            "nothing was said",
        ),
        (
            fault("stall", edge="chat -> redis", fraction="1%"),
            Traffic(2.0, opened=3, active=3),
            "3 connections of the client used it, and with 1% of them the chance is 94%",
        ),
    ],
)
def test_what_the_client_s_own_traffic_cannot_have_met_is_not_proven(
    kind: Fault, traffic: Traffic, why: str
) -> None:
    canary = kind.canary()
    assert canary is not None
    assert why in str(canary.spared(traffic))
    used = EdgeUsed("f", EDGE, traffic)
    assert f"nothing that {EDGE} carried could feel it" in str(reason(kind, [*WHOLE, used]))


@pytest.mark.parametrize(
    ("kind", "traffic"),
    [
        (fault("truncate", edge="a -> b", bytes="1KB"), Traffic(2.0, largest_reply=1000)),
        (fault("bandwidth", edge="a -> b", rate="10KB/s"), Traffic(2.0, largest_request=300)),
        (fault("fragment", edge="a -> b", size="8B"), Traffic(2.0, largest_reply=200)),
        (fault("slow_close", edge="a -> b", delay="1s"), Traffic(2.0, opened=1)),
        (fault("reset", edge="a -> b"), Traffic(2.0, pushed=1)),
        (fault("latency", edge="a -> b", delay="1s", fraction="50%"), Traffic(2.0, active=5)),
    ],
)
def test_what_it_must_have_met_is_proven(kind: Fault, traffic: Traffic) -> None:
    canary = kind.canary()
    assert canary is not None
    assert canary.spared(traffic) is None


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


OPEN = Exchange("connection", "answered", 0.2)
CLOSED = Exchange("connection", "closed", 0.002)


@pytest.mark.parametrize(
    ("before", "used", "told"),
    [(QUICK, USED, True), (QUICK, UNUSED, True), (OPEN, USED, True), (OPEN, UNUSED, False)],
)
def test_an_upstream_that_is_gone_after_the_heal_was_there_before(
    before: Exchange, used: EdgeUsed, told: bool
) -> None:
    """A proxy that is slow to close a connection for want of an upstream shows none."""
    went = [CanaryExchanged("f", EDGE, "before", before), INJECTED, RECEIPT, DURING, HELD, HEALED]
    after = CanaryExchanged("f", EDGE, "after", CLOSED)
    assert (list(unanswered(log([*went, used, after]))) == [EDGE]) is told
