"""`slow_close`: its bounds, its toxics, and when a canary felt it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.faults.edge_kinds import OPEN, made, seen, toxic


@pytest.mark.parametrize(
    ("delay", "says"),
    [
        ("0s", "greater than 0"),
        ("0.5ms", "whole milliseconds"),
        ("601s", "less than or equal"),
        ("-1s", "not a duration"),
        (1, "needs a unit"),
    ],
)
def test_it_refuses_what_toxiproxy_would_round_or_ignore(delay: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made("slow_close", delay=delay)


def test_it_becomes_a_delay_of_each_end() -> None:
    assert made("slow_close", delay="1s").toxics() == [
        toxic("f.upstream", "slow_close", delay=1000),
        toxic("f.downstream", "slow_close", delay=1000),
    ]


@pytest.mark.parametrize(
    ("delay", "closing", "felt"),
    [("1s", 1.0, True), ("1s", 0.02, False), ("60s", 0.6, True), ("60s", 0.3, False)],
)
def test_it_is_felt_in_the_time_a_connection_takes_to_end(
    delay: str, closing: float, felt: bool
) -> None:
    fault = made("slow_close", delay=delay)
    assert fault.canary().ask.close
    assert fault.canary().felt(seen(closing=0.001), seen(closing=closing)) is felt
    assert not fault.canary().felt(seen(), seen(seconds=5))


def test_a_plain_port_can_feel_it() -> None:
    assert made("slow_close", delay="1s").canary().blind(OPEN) is None
