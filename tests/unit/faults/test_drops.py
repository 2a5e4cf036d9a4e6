"""`drop_replies`, `drop_requests`, `stall` and `blackhole`: silence in its four meanings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaoskit.exchange import Exchange
from tests.unit.faults.edge_kinds import GREETED, OPEN, made, seen, toxic


def test_each_drops_its_own_direction_and_a_stall_only_holds_back() -> None:
    assert made("drop_replies").toxics() == [toxic("f.downstream", "timeout", timeout=0)]
    assert made("drop_requests").toxics() == [toxic("f.upstream", "timeout", timeout=0)]
    assert made("stall").toxics() == [
        toxic("f.upstream", "bandwidth", rate=0),
        toxic("f.downstream", "bandwidth", rate=0),
    ]


@pytest.mark.parametrize("kind", ["drop_replies", "drop_requests", "stall", "blackhole"])
def test_it_is_felt_as_silence_and_nothing_else(kind: str) -> None:
    fault = made(kind)
    assert fault.canary().felt(seen(), seen("silent", 1.0, received=0))
    assert not fault.canary().felt(seen(), seen())
    assert not fault.canary().felt(seen(), seen("refused", received=0))
    assert not fault.canary().felt(OPEN, OPEN)


@pytest.mark.parametrize("kind", ["drop_replies", "stall", "blackhole"])
def test_a_greeting_that_does_not_come_is_felt_too(kind: str) -> None:
    assert made(kind).canary().felt(GREETED, OPEN)
    assert not made(kind).canary().felt(GREETED, GREETED)
    assert made(kind).canary().blind(GREETED) is None


@pytest.mark.parametrize("kind", ["drop_replies", "drop_requests", "stall", "blackhole"])
def test_a_plain_port_cannot_feel_it_and_the_reason_says_what_to_do(kind: str) -> None:
    assert "redis://" in str(made(kind).canary().blind(OPEN))
    assert made(kind).canary().blind(seen()) is None


def test_a_greeting_does_not_show_whether_requests_arrive() -> None:
    assert not made("drop_requests").canary().felt(GREETED, GREETED)
    assert "plain TCP port" in str(made("drop_requests").canary().blind(GREETED))


def test_a_server_that_closes_after_its_answer_shows_only_its_end_under_dropped_replies() -> None:
    ended = Exchange("HTTP OPTIONS", "closed", 0.002, sent=40)
    assert made("drop_replies").canary().felt(seen(), ended)
    assert not made("drop_requests").canary().felt(seen(), ended)


@pytest.mark.parametrize("kind", ["drop_replies", "drop_requests", "stall", "latency"])
def test_a_fraction_is_the_toxicity_of_every_toxic_and_asks_for_more_canaries(kind: str) -> None:
    fields = {"delay": "5ms"} if kind == "latency" else {}
    half = made(kind, fraction="50%", **fields)
    assert {one.toxicity for one in half.toxics()} == {0.5}
    assert half.canary().tries == 10
    assert made(kind, fraction="1%", **fields).canary().tries < 1000
    assert made(kind, **fields).canary().tries == 1
    assert "50% of the connections" in half.forecast().hits


@pytest.mark.parametrize(
    ("fraction", "says"),
    [("0%", "above 0%"), ("0.5%", "at least 1%"), ("33.333%", "two digits"), (0.5, "percentage")],
)
def test_a_fraction_that_toxiproxy_would_round_or_nobody_would_meet_is_refused(
    fraction: object, says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        made("drop_replies", fraction=fraction)
