"""The meter in a real network namespace: bytes of every connection, and attempts nobody takes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest

from chaoskit.stack.edge_traffic import Line, parse, strays, traffic
from chaoskit.stack.proxy import Proxy
from tests.compose_project import docker, new_name
from tests.contract.real_servers import container, eventually

LAB = "chaoskit/lab:1"
REDIS = ("redis-server", "--bind", "*", "--protected-mode", "no", "--save", "")
PROGRAM = files("chaoskit.stack").joinpath("meter_program.py").read_text("utf-8")
PROXY = Proxy("proxy", "web", "redis", 6379, 6379)
# Two short connections, one kept with two requests, one idle, one refused, one datagram.
CLIENT = """
import socket, sys, time
host = sys.argv[1]
def connect(port=6379):
    return socket.create_connection((host, port), timeout=5)
idle = connect()
for _ in range(2):
    with connect() as short:
        short.sendall(b"PING\\r\\n")
        short.recv(10)
kept = connect()
for wait in (0.5, 0):
    kept.sendall(b"PING\\r\\n")
    kept.recv(10)
    time.sleep(wait)
try:
    connect(7777)
except ConnectionRefusedError:
    pass
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, 8125))
idle.close()
time.sleep(0.5)
"""


@pytest.fixture
def network() -> Iterator[str]:
    name = docker("network", "create", new_name()).strip()
    yield name
    docker("network", "rm", name)


def test_it_counts_what_clients_do_in_the_namespace_that_it_joins(network: str) -> None:
    with (
        container("--network", network, LAB, *REDIS) as redis,
        container(
            *("--network", f"container:{redis.strip()}", "--cap-drop", "ALL", "--cap-add"),
            *("NET_RAW", LAB, "python3", "-c", PROGRAM),
        ) as meter,
    ):

        def lines() -> list[Line]:
            printed = docker("logs", "--timestamps", meter.strip()).splitlines()
            return [line for text in printed for line in parse(text)]

        eventually("the meter counts", lambda: bool(lines()))
        start = lines()[-1].end
        host = redis.strip()[:12]  # its name on the network
        docker("run", "--rm", "--network", network, LAB, "python3", "-c", CLIENT, host)
        last = "the line after the end of the client"
        eventually(last, lambda: any(row.ended_at for line in lines()[-8:] for row in line.rows))
        seen = lines()
    found = traffic(seen, PROXY, frozenset(), start, seen[-1].end)
    assert (found.open_before, found.opened, found.attempts, found.active) == (0, 4, 4, 3)
    assert found.requested == 4 * len("PING\r\n")
    assert found.largest_request == 2 * len("PING\r\n")
    assert found.largest_reply in (7, 14)  # the last reply may not be acknowledged at the end
    assert strays(seen, frozenset(), {6379}) == (frozenset({7777}), frozenset({8125}))
