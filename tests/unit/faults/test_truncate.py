"""`truncate`: its bounds, its toxics, and when a canary felt it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.faults.edge_kinds import OPEN, made, seen, toxic


@pytest.mark.parametrize(
    ("bytes", "says"),
    [
        ("0B", "greater than or equal to 1"),
        ("-1B", "expected a size"),
        (512, "the bare number 512"),
        ("2000GB", "larger than"),
    ],
)
def test_it_refuses_what_is_not_a_number_of_bytes(bytes: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made("truncate", bytes=bytes)


def test_it_becomes_a_limit_on_what_is_answered() -> None:
    fault = made("truncate", bytes="1KB")
    assert fault.toxics() == [toxic("f.downstream", "limit_data", bytes=1000)]


def test_it_is_felt_when_the_connection_ends_before_its_answer_does() -> None:
    fault = made("truncate", bytes="300B")
    before = seen(received=500)
    assert fault.canary().felt(before, seen("closed", received=300))
    assert fault.canary().felt(before, seen("reset", received=300))
    assert fault.canary().felt(before, seen(received=300))  # one whole answer of several
    assert not fault.canary().felt(before, seen(received=500))
    assert not fault.canary().felt(before, seen(received=400))
    assert not fault.canary().felt(before, seen("refused", received=0))
    assert not fault.canary().felt(before, seen("silent", 1.0, received=300))


def test_its_canary_moves_more_than_is_let_through_or_says_that_it_cannot() -> None:
    assert made("truncate", bytes="300B").canary().ask.payload > 300
    assert made("truncate", bytes="1GB").canary().ask.payload == 1_000_000
    blind = made("truncate", bytes="300B").canary().blind
    assert "moves 7 bytes, and 300B are let through" in str(blind(seen(sent=900)))
    assert blind(seen(received=301)) is None
    assert "plain TCP port" in str(blind(OPEN))
