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


def row(received: int = 0, sent: int = 0, *, flags: str = "", **changes: Any) -> Row:
    """Return a row of a connection of the client; `flags` are its words: opened, closed."""
    made = Row(6379, CLIENT, 40000, received, sent, int("opened" in flags), int("closed" in flags))
    return made._replace(**changes)


def line(at: float, *rows: Row, attempts: Sequence[Packets] | None = ()) -> Line:
    return Line(at, at + 0.1, rows, None if attempts is None else tuple(attempts), ())


def seen(*lines: Line) -> Traffic:
    return traffic(lines, PROXY, frozenset([GATEWAY]), START, END)


def test_one_small_request_on_a_connection_from_before_is_seen() -> None:
    found = seen(line(90.0, row(14, 7, flags="opened")), line(102.0, row(14, 0)))
    assert (found.open_before, found.opened, found.active) == (1, 0, 1)
    assert (found.requested, found.replied) == (14, 0)


def test_a_connection_that_ended_before_is_no_use() -> None:
    found = seen(line(90.0, row(14, 7, flags="opened closed")), line(102.0))
    assert found == Traffic(seconds=4.0)


def test_an_idle_connection_that_ends_meanwhile_moved_nothing() -> None:
    found = seen(line(90.0, row(14, 7, flags="opened")), line(102.0, row(flags="closed")))
    assert (found.open_before, found.active, found.requested) == (1, 0, 0)


def test_a_client_that_dies_of_its_last_answer_used_the_edge() -> None:
    found = seen(
        line(90.0, row(14, 7, flags="opened")),
        line(100.4, row(0, 7)),
        line(100.5, row(flags="closed")),
    )
    assert (found.replied, found.active) == (7, 1)


def test_what_was_new_in_a_look_that_began_before_does_not_count() -> None:
    assert seen(line(99.95, row(14, 7, flags="opened")), line(102.0)).opened == 0
    assert seen(line(103.95, row(14, 7, flags="opened"))).opened == 1
    assert seen(line(104.0, row(14, 7, flags="opened"))).opened == 0


def test_sizes_are_of_one_connection_even_when_its_port_comes_back() -> None:
    short = row(300, 900, flags="opened closed")
    found = seen(line(101.0, short), line(102.0, short), line(102.5, row(10, 20, remote_port=4)))
    assert (found.opened, found.active) == (2, 3)
    assert (found.requested, found.replied) == (610, 1820)
    assert (found.largest_request, found.largest_reply) == (300, 900)
    assert (found.largest("both"), found.largest("request")) == (900, 300)


def test_canaries_and_other_edges_do_not_count() -> None:
    others = [
        row(14, 7, flags="opened", remote_ip=GATEWAY),
        row(14, 7, flags="opened", remote_ip="127.0.0.1"),
        row(14, 7, flags="opened", local_port=5432),
    ]
    attempts = [Packets(GATEWAY, 6379, 3), Packets(CLIENT, 5432, 3)]
    assert seen(line(101.0, *others, attempts=attempts)) == Traffic(seconds=4.0)


def test_those_whom_a_closed_listener_refused_are_counted() -> None:
    found = seen(line(101.0, attempts=[Packets(CLIENT, 6379, 2)]), line(102.0))
    assert (found.attempts, found.opened) == (2, 0)
    assert seen(line(101.0, attempts=None)).attempts is None


def test_what_the_upstream_says_counts_only_on_connections_from_before() -> None:
    def onwards(received: int, port: int, flags: str = "") -> Row:
        return row(received, flags=flags, local_port=port, remote_ip=UPSTREAM, remote_port=6379)

    found = seen(
        line(90.0, onwards(5, 50000, "opened")),
        line(101.0, onwards(40, 50000), onwards(900, 50001, "opened")),
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
        "tcp": [[6379, CLIENT, 40000, 14, 7, 1, 0]],
        "syn": [[CLIENT, 6379, 1]],
        "udp": None,
    }
    (found,) = parse(f"2026-01-02T03:04:05.678Z {json.dumps(body)}")
    assert found == Line(1.0, 1.1, (row(14, 7, flags="opened"),), (Packets(CLIENT, 6379, 1),), None)


@pytest.mark.parametrize(
    "text", ["", "2026 Traceback (most recent call last):", '2026 {"from": 1}']
)
def test_what_is_no_line_of_a_meter_is_left_out(text: str) -> None:
    assert parse(text) == []
