"""The canary's exchange against real Redis, Postgres and HTTP, directly and through Toxiproxy."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator

import pytest

from chaoskit.faults.engines.toxics import blackhole
from chaoskit.stack.canary import exchange
from chaoskit.stack.toxiproxy import Stream, Toxic
from tests.contract.real_servers import LOCAL, Server

PROTOCOLS = ["redis", "postgres", "http", "tcp"]


class KeepAlive(http.server.BaseHTTPRequestHandler):
    """Answers OPTIONS and keeps the connection, as servers of today do."""

    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 50
    daemon_threads = True


@pytest.fixture(scope="module")
def http_port() -> Iterator[int]:
    server = Web((LOCAL, 0), KeepAlive)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


@pytest.fixture(params=PROTOCOLS)
def served(request: pytest.FixtureRequest) -> tuple[str, int]:
    """A protocol and the port of a real server of it."""
    name = "redis" if request.param == "tcp" else request.param
    return request.param, request.getfixturevalue(f"{name}_port")


async def test_a_real_server_answers_at_once(served: tuple[str, int]) -> None:
    protocol, port = served
    seen = await exchange(LOCAL, port, protocol)
    assert seen.outcome == "answered"
    assert 0 < seen.seconds < 0.5


async def test_through_a_proxy_it_feels_exactly_what_the_proxy_does(
    real: Server, served: tuple[str, int]
) -> None:
    protocol, port = served
    proxy = await real.api.create(real.definition(port))
    listen = int(proxy.listen.rpartition(":")[2])
    assert (await exchange(LOCAL, listen, protocol)).outcome == "answered"
    await real.api.set_enabled(proxy.name, False)
    assert (await exchange(LOCAL, listen, protocol)).outcome == "refused"
    await real.api.set_enabled(proxy.name, True)
    assert (await exchange(LOCAL, listen, protocol)).outcome == "answered"


@pytest.mark.parametrize("protocol", ["redis", "postgres", "http"])
@pytest.mark.parametrize("stream", ["upstream", "downstream"])
async def test_a_request_or_a_reply_that_is_swallowed_is_silence(
    real: Server, request: pytest.FixtureRequest, protocol: str, stream: Stream
) -> None:
    port = request.getfixturevalue(f"{protocol}_port")
    proxy = await real.api.create(real.definition(port))
    (hole,) = blackhole("hole", stream)
    await real.api.add_toxic(proxy.name, hole)
    seen = await exchange(LOCAL, int(proxy.listen.rpartition(":")[2]), protocol, deadline=0.3)
    assert seen.outcome == "silent"
    assert 0.3 <= seen.seconds < 1.0


@pytest.mark.parametrize("protocol", ["redis", "postgres", "http"])
async def test_latency_shows_in_its_seconds(
    real: Server, request: pytest.FixtureRequest, protocol: str
) -> None:
    proxy = await real.api.create(real.definition(request.getfixturevalue(f"{protocol}_port")))
    slow = Toxic("slow.downstream", "latency", "downstream", {"latency": 200, "jitter": 0})
    await real.api.add_toxic(proxy.name, slow)
    seen = await exchange(LOCAL, int(proxy.listen.rpartition(":")[2]), protocol)
    assert seen.outcome == "answered"
    assert 0.2 <= seen.seconds < 0.6


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_dead_upstream_behind_an_open_proxy_closes(real: Server, protocol: str) -> None:
    proxy = await real.api.create(real.definition(upstream=1))
    seen = await exchange(LOCAL, int(proxy.listen.rpartition(":")[2]), protocol)
    assert seen.outcome in ("closed", "reset")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_exchanges_side_by_side_do_not_disturb_each_other(
    request: pytest.FixtureRequest, protocol: str
) -> None:
    name = "redis" if protocol == "tcp" else protocol
    port = request.getfixturevalue(f"{name}_port")
    seen = await asyncio.gather(*(exchange(LOCAL, port, protocol) for _ in range(10)))
    assert {one.outcome for one in seen} == {"answered"}
