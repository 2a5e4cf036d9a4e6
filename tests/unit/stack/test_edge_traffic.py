"""What an edge's client did, by the lines of the meter in its proxy's network namespace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from chaoskit.exchange import Traffic
from chaoskit.stack.edge_traffic import Line, Packets, Row, parse, strays, traffic
from chaoskit.stack.proxy import Proxy

PROXY = Proxy("chaoskit-web", "web", "redis", 6379, 6379)
CLIENT, GATEWAY, UPSTREAM = "172.18.0.5", "172.18.0.1", "172.18.0.9"
START, END = 100.0, 104.0


def row(received: int = 0, sent: int = 0, **changes: Any) -> Row:
    """Return a row of a connection of the client that is open and moved something at 102."""
    return Row(6379, CLIENT, 40000, received, sent, 0, 102.0, 0.0)._replace(**changes)


def opened(at: float, received: int = 0, sent: int = 0, **changes: Any) -> Row:
    return row(received, sent, **({"opened": 1, "moved_at": at} | changes))


def line(at: float, *rows: Row, attempts: Sequence[Packets] | None = ()) -> Line:
    return Line(at, at + 0.1, rows, None if attempts is None else tuple(attempts), ())


def seen(*rows: Row, attempts: Sequence[Packets] | None = ()) -> Traffic:
    """Return what one line with these rows says of the time from 100 to 104."""
    return traffic([line(102.0, *rows, attempts=attempts)], PROXY, frozenset([GATEWAY]), START, END)


def test_one_small_request_on_a_connection_from_before_is_seen() -> None:
    found = seen(opened(90.0, 14, 7), row(14, 0))
    assert (found.open_before, found.opened, found.active) == (1, 0, 1)
    assert (found.requested, found.replied) == (14, 0)


def test_a_connection_that_ended_before_is_no_use() -> None:
    assert seen(opened(90.0, 14, 7, ended_at=90.0)) == Traffic(seconds=4.0)
    assert seen(opened(90.0, 14, 7), row(moved_at=90.0, ended_at=99.9)) == Traffic(seconds=4.0)


def test_an_idle_connection_that_ends_meanwhile_was_open_and_moved_nothing() -> None:
    found = seen(opened(90.0, 14, 7), row(moved_at=90.0, ended_at=100.001))
    assert (found.open_before, found.active, found.requested) == (1, 0, 0)


def test_a_client_that_dies_of_its_last_answer_used_the_edge() -> None:
    answer = row(0, 7, moved_at=100.4, ended_at=100.5)
    found = seen(opened(90.0, 14, 7), answer)
    assert (found.replied, found.active) == (7, 1)


@pytest.mark.parametrize(("at", "number"), [(99.999, 0), (100.001, 1), (103.999, 1), (104.001, 0)])
def test_when_something_moved_counts_and_not_when_it_was_looked_at(at: float, number: int) -> None:
    found = seen(opened(at, 14, 7))
    assert (found.opened, found.active) == (number, number)
    assert seen(opened(90.0), row(14, 0, moved_at=at)).active == number


def test_sizes_are_of_one_connection_even_when_its_port_comes_back() -> None:
    first, again = opened(101.0, 300, 900, ended_at=101.1), opened(102.0, 300, 900, ended_at=102.1)
    found = seen(first, again, row(10, 20, remote_port=4))
    assert (found.opened, found.active) == (2, 3)
    assert (found.requested, found.replied) == (610, 1820)
    assert (found.largest_request, found.largest_reply) == (300, 900)
    assert (found.largest("both"), found.largest("request")) == (900, 300)


def test_canaries_and_other_edges_do_not_count() -> None:
    others = [
        opened(101.0, 14, 7, remote_ip=GATEWAY),
        opened(101.0, 14, 7, remote_ip="127.0.0.1"),
        opened(101.0, 14, 7, local_port=5432),
    ]
    attempts = [Packets(GATEWAY, 6379, 3), Packets(CLIENT, 5432, 3)]
    assert seen(*others, attempts=attempts) == Traffic(seconds=4.0)


def test_those_whom_a_closed_listener_refused_are_counted() -> None:
    asked = [Packets(CLIENT, 6379, 2)]
    found = seen(attempts=asked)
    assert (found.attempts, found.opened) == (2, 0)
    assert seen(attempts=None).attempts is None
    for at in (99.95, 103.95):  # a look that only touches an end may have seen them outside
        lines = [line(at, attempts=asked)]
        assert traffic(lines, PROXY, frozenset(), START, END).attempts == 0


def test_what_the_upstream_says_counts_only_on_connections_from_before() -> None:
    there: dict[str, Any] = {"remote_ip": UPSTREAM, "remote_port": 6379}
    found = seen(
        opened(90.0, 5, local_port=50000, **there),
        row(40, local_port=50000, **there),
        opened(101.0, 900, local_port=50001, **there),
    )
    assert (found.pushed, found.requested) == (40, 0)


def test_first_packets_and_datagrams_that_no_proxy_takes_are_strays() -> None:
    lines = [
        Line(1.0, 1.1, (), (Packets(CLIENT, 6379, 1), Packets(CLIENT, 9100, 2)), None),
        Line(1.1, 1.2, (), None, (Packets(CLIENT, 53, 1), Packets("127.0.0.1", 99, 1))),
        Line(1.2, 1.3, (), (Packets(GATEWAY, 8474, 1),), ()),
    ]
    found = strays(lines, frozenset([GATEWAY]), {6379})
    assert found == (frozenset({9100}), frozenset({53}))


def test_a_line_is_read_back_as_the_meter_printed_it() -> None:
    body = {
        "from": 1.0,
        "to": 1.1,
        "tcp": [[6379, CLIENT, 40000, 14, 7, 1, 1.05, 0]],
        "syn": [[CLIENT, 6379, 1]],
        "udp": None,
    }
    (found,) = parse(f"2026-01-02T03:04:05.678Z {json.dumps(body)}")
    assert found == Line(1.0, 1.1, (opened(1.05, 14, 7),), (Packets(CLIENT, 6379, 1),), None)


@pytest.mark.parametrize(
    "text", ["", "2026 Traceback (most recent call last):", '2026 {"from": 1}']
)
def test_what_is_no_line_of_a_meter_is_left_out(text: str) -> None:
    assert parse(text) == []
