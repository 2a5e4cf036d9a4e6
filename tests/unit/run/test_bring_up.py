"""What is said of a stack that does not come up."""

from __future__ import annotations

from chaoskit.exchange import Exchange
from chaoskit.run.bring_up import hint_with


def test_log_lines_are_announced_only_where_there_are_some() -> None:
    assert "log lines are shown" in hint_with({"web": ["oops"]})
    assert "log lines" not in hint_with({})
    assert "up_timeout" in hint_with({})


def test_a_server_that_said_nothing_yet_is_not_said_to_have_answered_in_that_time() -> None:
    silent = Exchange("TCP", "answered", 0.051)
    assert str(silent) == "no word in 51ms"
    greeted = Exchange("TCP", "answered", 0.051, received=78)
    assert str(greeted) == "51ms"
