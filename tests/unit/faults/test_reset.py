"""`reset`: its bounds, its toxics, and when a canary felt it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.unit.faults.edge_kinds import OPEN, made, seen, toxic


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        ("1001ms", "at most 1s"),
        ("601s", "less than or equal"),
        ("0.5ms", "whole milliseconds"),
        ("-1s", "not a duration"),
        (1, "needs a unit"),
    ],
)
def test_it_refuses_what_would_block_the_edge_or_be_rounded(wait: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made("reset", wait=wait)


def test_whatever_is_said_first_triggers_it() -> None:
    assert made("reset").toxics() == [
        toxic("f.upstream", "reset_peer", timeout=0),
        toxic("f.downstream", "reset_peer", timeout=0),
    ]
    assert made("reset", wait="100ms").toxics()[0].attributes == {"timeout": 100}


def test_it_is_felt_when_the_connection_ends_without_an_answer_and_not_too_early() -> None:
    fault = made("reset", wait="200ms")
    assert fault.canary().felt(seen(), seen("reset", 0.2, received=0))
    assert fault.canary().felt(seen(), seen("closed", 0.2, received=0))
    assert not fault.canary().felt(seen(), seen("reset", 0.01, received=0))
    assert not fault.canary().felt(seen(), seen("reset", 0.2))
    assert not fault.canary().felt(seen(), seen("refused", 0.2, received=0))
    assert not fault.canary().felt(seen(), seen())
    assert "plain TCP port" in str(fault.canary().blind(OPEN))
