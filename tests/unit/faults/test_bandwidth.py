"""`bandwidth`: its bounds, its toxics, and when a canary felt it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chaoskit.fields import ByteRate
from tests.unit.faults.edge_kinds import OPEN, made, seen, toxic


@pytest.mark.parametrize(
    ("text", "count"),
    [("64KB/s", 64_000), ("1.5MB/s", 1_500_000), ("8Mbit/s", 1_000_000), ("1KiB/s", 1024)],
)
def test_a_data_rate_is_read_with_its_unit_and_prints_as_what_reads_back(
    text: str, count: int
) -> None:
    rate = ByteRate.parse(text)
    assert rate == count
    assert ByteRate.parse(str(rate)) == rate


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (64, "the bare number 64"),
        (True, "got `true`"),
        (None, "got nothing"),
        ("64", "such as 64KB/s"),
        ("64KB", "such as 64KB/s"),
        ("-1KB/s", "such as 64KB/s"),
        ("1.5B/s", "whole number of bytes"),
        ("9999GB/s", "more than 1024GiB/s"),
        ("0KB/s", "there is `stall`"),
        ("999B/s", "at least 1KB/s"),
        ("101MB/s", "at most 100MB/s"),
        ("1KiB/s", "whole KB/s of 1000 bytes: `1024B/s`"),
    ],
)
def test_it_refuses_what_toxiproxy_would_not_do(rate: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made("bandwidth", rate=rate)


def test_it_becomes_toxics_in_whole_kilobytes_a_second() -> None:
    assert made("bandwidth", rate="64KB/s").toxics() == [
        toxic("f.upstream", "bandwidth", rate=64),
        toxic("f.downstream", "bandwidth", rate=64),
    ]
    (only,) = made("bandwidth", rate="64KB/s", direction="request").toxics()
    assert only.stream == "upstream"


@pytest.mark.parametrize(
    ("seconds", "felt"), [(0.002, False), (0.04, False), (0.11, True), (0.2, True)]
)
def test_it_is_felt_when_the_bytes_took_the_time_they_must_take(seconds: float, felt: bool) -> None:
    fault = made("bandwidth", rate="10KB/s", direction="reply")
    before = seen(received=2000)  # 200 ms at this rate
    assert fault.canary().felt(before, seen(seconds=seconds, received=2000)) is felt
    assert not fault.canary().felt(before, seen("closed", seconds))


def test_bytes_that_are_still_on_their_way_count_when_they_should_be_there() -> None:
    fault = made("bandwidth", rate="1KB/s")
    before = seen(received=2000)
    assert fault.canary().felt(before, seen("silent", 2.5, received=1800))
    assert not fault.canary().felt(before, seen("silent", 1.0, received=800))


def test_its_canary_brings_enough_bytes_and_waits_long_enough_for_them() -> None:
    slow, fast = made("bandwidth", rate="1KB/s"), made("bandwidth", rate="100MB/s")
    assert slow.canary().ask.payload == 200
    assert slow.canary().deadline > 30
    assert fast.canary().ask.payload == 1_000_000


def test_what_no_canary_can_feel_is_said() -> None:
    assert "plain TCP port" in str(made("bandwidth", rate="1KB/s").canary().blind(OPEN))
    assert "moves 7 bytes, which take" in str(
        made("bandwidth", rate="1MB/s").canary().blind(seen())
    )
    assert made("bandwidth", rate="1KB/s").canary().blind(seen(received=200)) is None
