"""`fragment`: bounds that keep Toxiproxy alive, its toxics, and when a canary felt it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.faults.edge_kinds import OPEN, made, seen, toxic


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "size"),
        ({"size": "0B"}, "greater than or equal to 1"),
        ({"size": "0.5B"}, "greater than or equal to 1"),
        ({"size": "32KiB"}, "less than 32768"),
        ({"size": 8}, "the bare number 8"),
        ({"size": "8B", "variation": "8B"}, "smaller than `size`"),
        ({"size": "1B", "variation": "1B"}, "smaller than `size`"),
        ({"size": "20KB", "variation": "19KB"}, "together must be below 32KiB"),
        ({"size": "8B", "delay": "0s"}, "at least 1us"),
        ({"size": "8B", "delay": "11s"}, "less than or equal"),
        ({"size": "8B", "delay": "-1us"}, "not a duration"),
    ],
)
def test_it_refuses_what_would_kill_toxiproxy_or_do_nothing(
    fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        made("fragment", **fields)


def test_it_becomes_slicers_in_microseconds() -> None:
    fault = made("fragment", size="8B", variation="3B", delay="2ms", direction="reply")
    slicer = toxic("f.downstream", "slicer", average_size=8, size_variation=3, delay=2000)
    assert fault.toxics() == [slicer]


def test_it_is_felt_by_its_pauses_or_by_its_pieces() -> None:
    fault = made("fragment", size="100B", delay="5ms", direction="reply")
    before = seen(received=2000, pieces=1)
    assert fault.canary().felt(before, seen(seconds=0.1, received=2000, pieces=2))
    assert fault.canary().felt(before, seen(seconds=0.004, received=2000, pieces=19))
    assert not fault.canary().felt(before, seen(seconds=0.03, received=2000, pieces=2))
    assert not fault.canary().felt(before, seen("closed", 0.1, received=100))


def test_the_pieces_of_a_request_show_only_in_time() -> None:
    fault = made("fragment", size="100B", delay="5ms", direction="request")
    before = seen(sent=2000, pieces=1)
    assert fault.canary().felt(before, seen(seconds=0.1, sent=2000))
    assert not fault.canary().felt(before, seen(seconds=0.004, sent=2000, pieces=19))


@pytest.mark.parametrize("delay", ["1us", "1ms", "10s"])
def test_its_canary_brings_several_pieces_and_waits_for_their_pauses(delay: str) -> None:
    fault = made("fragment", size="100B", variation="20B", delay=delay)
    assert 3 * 120 <= fault.canary().ask.payload <= 200 * 120
    assert fault.canary().deadline > 2 * fault.canary().ask.payload / 100 * float(fault.delay)  # type: ignore[attr-defined]  # a Fragment


def test_what_no_canary_can_feel_is_said() -> None:
    assert "plain TCP port" in str(made("fragment", size="8B").canary().blind(OPEN))
    assert "moves 7 bytes, less than two" in str(made("fragment", size="8B").canary().blind(seen()))
    assert made("fragment", size="8B").canary().blind(seen(received=16)) is None
