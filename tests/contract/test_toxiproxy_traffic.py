"""What the toxics of our faults do to real connections, and the way out of a wedged proxy."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from chaoskit.docker.client import Engine
from chaoskit.docker.labels import CLIENT_LABEL, PROXIES_LABEL, ROLE_LABEL
from chaoskit.faults.engines.toxics import blackhole
from chaoskit.stack.proxy import API_PORT, Proxy
from chaoskit.stack.stack import Stack
from chaoskit.stack.toxiproxy import Stream, Toxic, Toxiproxy, ToxiproxyUnreachable, ToxiproxyWedged
from tests.compose_project import docker
from tests.contract.real_servers import LOCAL, Server, run_toxiproxy
from tests.fakes.fake_toxiproxy import Fuse
from tests.fakes.fake_world import FakeEngine, container

SLOW = Toxic("slow.downstream", "latency", "downstream", {"latency": 200, "jitter": 0})
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def upstream() -> AsyncIterator[int]:
    """A server that echoes, and floods whoever says `flood`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while line := await reader.readline():
                writer.write(line)
                while line == b"flood\n":
                    writer.write(b"x" * 65536)
                    await writer.drain()
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, LOCAL, 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


class Clients:
    """Connections of a test, all closed at its end."""

    def __init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, listen: str, **options: Any) -> Connection:
        host, _, port = listen.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), **options)
        self._writers.append(writer)
        return reader, writer

    def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made = Clients()
    yield made
    made.close()
    await asyncio.sleep(0)


async def echo(connection: Connection, within: float = 2.0) -> float:
    """Say something and return the seconds until it came back."""
    reader, writer = connection
    start = time.monotonic()
    writer.write(b"hello\n")
    answer = await asyncio.wait_for(reader.readline(), within)
    assert answer == b"hello\n", answer
    return time.monotonic() - start


async def ended(connection: Connection) -> bool:
    """Say whether the other side closes within two seconds."""
    try:
        return await asyncio.wait_for(connection[0].read(), 2.0) == b""
    except ConnectionError:
        return True


async def test_latency_delays_new_and_live_connections_by_what_was_asked(
    real: Server, upstream: int, clients: Clients
) -> None:
    proxy = await real.api.create(real.definition(upstream))
    connection = await clients.connect(proxy.listen)
    assert await echo(connection) < 0.1
    await real.api.add_toxic(proxy.name, SLOW)
    assert 0.19 < await echo(connection) < 0.6
    assert 0.19 < await echo(await clients.connect(proxy.listen)) < 0.6
    await real.api.remove_toxic(proxy.name, SLOW.name)
    assert await echo(connection) < 0.1


async def test_a_closed_proxy_refuses_and_cuts_what_was_open(
    real: Server, upstream: int, clients: Clients
) -> None:
    proxy = await real.api.create(real.definition(upstream))
    connection = await clients.connect(proxy.listen)
    await echo(connection)
    await real.api.set_enabled(proxy.name, False)
    assert await ended(connection)
    with pytest.raises(ConnectionRefusedError):
        await clients.connect(proxy.listen)
    await real.api.set_enabled(proxy.name, True)
    await echo(await clients.connect(proxy.listen))


@pytest.mark.parametrize("streams", [["upstream"], ["downstream"], ["upstream", "downstream"]])
async def test_a_blackhole_is_silent_and_its_removal_closes_what_was_open(
    real: Server, upstream: int, clients: Clients, streams: list[Stream]
) -> None:
    proxy = await real.api.create(real.definition(upstream))
    connection = await clients.connect(proxy.listen)
    await echo(connection)
    for toxic in blackhole("hole", *streams):
        await real.api.add_toxic(proxy.name, toxic)
    for silent in (connection, await clients.connect(proxy.listen)):
        with pytest.raises(TimeoutError):
            await echo(silent, within=0.3)
    for toxic in blackhole("hole", *streams):
        await real.api.remove_toxic(proxy.name, toxic.name)
    assert await ended(connection)
    await echo(await clients.connect(proxy.listen))


async def test_a_dead_upstream_behind_an_open_proxy_is_a_connection_that_ends_at_once(
    real: Server, clients: Clients
) -> None:
    proxy = await real.api.create(real.definition(upstream=1))
    assert await ended(await clients.connect(proxy.listen))


async def wedge(api: Toxiproxy, name: str, listen: str, clients: Clients) -> None:
    """Let a client ask for a flood and never read it, behind a latency toxic."""
    await api.add_toxic(name, SLOW)
    reader, writer = await clients.connect(listen, limit=1024)
    writer.write(b"flood\n")
    await reader.readexactly(6)  # it flows
    cast("asyncio.ReadTransport", writer.transport).pause_reading()
    await asyncio.sleep(1.0)  # no way to observe that every buffer on the path is full


async def test_a_wedged_proxy_is_noticed_in_time_and_recreating_it_frees_the_server(
    real: Server, upstream: int, clients: Clients
) -> None:
    definition = real.definition(upstream)
    proxy = await real.api.create(definition)
    await wedge(real.api, proxy.name, proxy.listen, clients)
    start = time.monotonic()
    with pytest.raises(ToxiproxyWedged, match="no answer in time"):
        await real.api.remove_toxic(proxy.name, SLOW.name)
    assert time.monotonic() - start < 1.5
    with pytest.raises(ToxiproxyWedged):
        await real.api.proxies()
    await real.api.recreate(definition)
    assert (await real.api.proxies())[proxy.name].toxics == ()
    assert await echo(await clients.connect(proxy.listen)) < 0.1


async def test_the_stack_heals_a_wedged_proxy_and_keeps_the_toxics_of_other_faults(
    real: Server, upstream: int, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{LOCAL}_{upstream}"
    definition = real.definition(upstream, name=name)
    real.names.append(name)
    await real.api.create(definition)
    engine = FakeEngine(Fuse())
    port = int(real.url.rpartition(":")[2])
    labels = {
        ROLE_LABEL: "proxy",
        CLIENT_LABEL: "chat",
        PROXIES_LABEL: f'[{{"name": "{name}", '
        f'"listen": "{definition["listen"]}", "upstream": "{definition["upstream"]}"}}]',
    }
    engine.add(container("chaoskit-chat", labels=labels, published={API_PORT: port}))
    monkeypatch.setattr(Proxy, "definition", lambda self: definition)
    stack = Stack(cast("Engine", engine), "run-1")
    await stack.attach()
    (proxy,) = stack.proxies
    other = Toxic("other.upstream", "latency", "upstream", {"latency": 1, "jitter": 0})
    await stack.add_toxic(proxy, other)
    mine = Toxic("mine.upstream", "latency", "upstream", {"latency": 2, "jitter": 0})
    await stack.add_toxic(proxy, mine)
    await wedge(real.api, proxy.name, str(definition["listen"]), clients)
    await stack.remove_toxics(proxy, [SLOW.name, mine.name])
    state = await stack.state_of(proxy)
    assert (state.enabled, state.toxics) == (True, (other,))
    await echo(await clients.connect(str(definition["listen"])))
    await stack.close()


async def test_a_server_that_is_gone_is_unreachable_and_not_wedged() -> None:
    with contextlib.ExitStack() as on_exit:
        server = await asyncio.to_thread(lambda: on_exit.enter_context(run_toxiproxy()))
        async with Toxiproxy(server.url) as api:
            assert await api.proxies() == {}
            docker("kill", server.container)
            for call in (api.version(), api.proxies(), api.remove_toxic("a", "b")):
                with pytest.raises(ToxiproxyUnreachable):
                    await call
