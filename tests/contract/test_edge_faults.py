"""Every fault on an edge, through the real Stack and a real Toxiproxy, on real servers.

New, kept and idle connections are watched by a raw client; after the heal everything is as before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from chaoskit.docker.client import Engine
from chaoskit.docker.labels import CLIENT_LABEL, PROXIES_LABEL, ROLE_LABEL
from chaoskit.errors import FaultFailed
from chaoskit.exchange import Exchange
from chaoskit.faults import REGISTRY, EdgeFault
from chaoskit.faults.engines.toxics import EdgeUndo
from chaoskit.run.injector import feel, undisturbed
from chaoskit.stack.proxy import API_PORT, Proxy
from chaoskit.stack.stack import Stack
from chaoskit.stack.toxiproxy import ProxyState, Toxiproxy
from tests.compose_project import LAB, docker
from tests.contract.edge_clients import SIZES, Clients, Seen
from tests.contract.real_servers import LOCAL, Toxiserver, eventually, free_port, published
from tests.contract.real_servers import container as run_container
from tests.fakes.fake_toxiproxy import Fuse
from tests.fakes.fake_world import FakeEngine, container
from tests.fakes.stored_undo import stored

SILENCE = 0.3  # seconds without an answer that count as silence
LONG = 2000  # bytes of an answer that shows slow lines, pieces and cuts


@dataclass(frozen=True, slots=True)
class Case:
    """What a client sees under a fault: on a new connection, on a kept one, on an idle one."""

    kind: str
    fields: dict[str, Any]
    new: Callable[[Seen], bool]
    kept: Callable[[Seen], bool]
    idle_during: bool  # still open?
    idle_after: bool


def slow(seconds: float) -> Callable[[Seen], bool]:
    return lambda seen: seen.outcome == "answered" and seconds * 0.9 <= seen.seconds < seconds + 2


def ends(*outcomes: str, at_most: int = 0) -> Callable[[Seen], bool]:
    return lambda seen: seen.outcome in outcomes and seen.received <= at_most


def pieces(seen: Seen) -> bool:
    return seen.outcome == "answered" and seen.pieces >= 3 and seen.seconds > 0.1


QUICK = slow(0)
SILENT = ends("silent")
ENDED = ends("ended", "reset")
CASES = [
    Case("latency", {"delay": "200ms"}, slow(0.2), slow(0.2), True, True),
    Case("bandwidth", {"rate": "10KB/s"}, slow(0.2), slow(0.2), True, True),
    Case("refuse", {}, ends("refused"), ENDED, False, False),
    Case("flap", {"up": "10s", "down": "10s"}, ends("refused"), ENDED, False, False),
    Case("blackhole", {}, SILENT, SILENT, True, False),
    Case("drop_replies", {}, SILENT, SILENT, True, False),
    Case("drop_requests", {}, SILENT, SILENT, True, False),
    Case("stall", {}, SILENT, SILENT, True, True),
    # Only connections that are opened under the fault end with a RST.
    Case("reset", {}, ends("reset"), ENDED, True, True),
    Case("fragment", {"size": "100B", "delay": "10ms"}, pieces, pieces, True, True),
    Case(
        "truncate",
        {"bytes": "300B"},
        ends("ended", "reset", at_most=300),
        ends("ended", "reset", at_most=300),
        True,
        True,
    ),
    Case("slow_close", {"delay": "300ms"}, QUICK, QUICK, True, True),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.kind for case in CASES])


def test_every_kind_on_an_edge_has_a_case() -> None:
    assert {c.kind for c in CASES} == {k.kind for k in REGISTRY if issubclass(k, EdgeFault)}


@pytest.fixture(scope="module")
def http_port() -> Iterator[int]:
    pages = "; ".join(f"head -c {n} /dev/zero | tr '\\0' x > {n}" for n in SIZES)
    serve = "exec python3 -m http.server --protocol HTTP/1.1 8080"
    command = ("sh", "-c", f"mkdir /pages; cd /pages; {pages}; {serve}")
    with run_container("--publish", f"{LOCAL}::8080", LAB, *command) as started:
        ready = "http-ok 8080 /1 && echo yes || true"
        eventually("http answers", lambda: docker("exec", started, "sh", "-c", ready) == "yes")
        yield published(started, 8080)


@dataclass(slots=True)
class Edge:
    """One edge behind a real Toxiproxy, as the stack of a run sees it."""

    stack: Stack
    proxy: Proxy
    clients: Clients
    api: Toxiproxy

    def fault(self, kind: str, **fields: Any) -> EdgeFault:
        found = REGISTRY.get(kind)
        assert found is not None
        edge = f"chat -> {self.proxy.upstream}:{self.proxy.port}"
        made = found.model_validate({"fault": kind, "edge": edge, **fields})
        assert isinstance(made, EdgeFault)
        return made

    async def state(self) -> dict[str, ProxyState]:
        return await self.api.proxies()

    async def before(self, fault: EdgeFault) -> Exchange:
        seen = await undisturbed(self.stack, fault.canary(), self.proxy)
        assert seen.answered, seen
        return seen

    async def during(self, fault: EdgeFault, before: Exchange) -> Exchange:
        """What the canary sees while the fault is in force, the way a run asks it."""
        canary = fault.canary()
        return await feel(self.stack, canary, self.proxy, before, canary.deadline)

    async def inject(self, fault: EdgeFault) -> EdgeUndo:
        undo = stored(await fault.prepare(self.stack))
        assert not (await fault.verify_injected(self.stack, undo)).holds
        await fault.inject(self.stack, undo)
        receipt = await fault.verify_injected(self.stack, undo)
        assert receipt.holds, receipt.detail
        return undo

    async def heal(self, fault: EdgeFault, undo: EdgeUndo) -> None:
        for _ in range(2):
            await fault.heal(self.stack, undo)
            receipt = await fault.verify_healed(self.stack, undo)
            assert receipt.holds, receipt.detail


@contextlib.asynccontextmanager
async def edges(server: Toxiserver, protocol: str, port: int) -> AsyncIterator[Edge]:
    listen = free_port()
    proxy = Proxy("chaoskit-chat", "chat", LOCAL, port, listen)
    engine = FakeEngine(Fuse())
    labels = {
        ROLE_LABEL: "proxy",
        CLIENT_LABEL: "chat",
        PROXIES_LABEL: json.dumps([proxy.definition()]),
    }
    ports = {API_PORT: server.port, listen: listen}
    engine.add(container("chaoskit-chat", labels=labels, published=ports))
    stack = Stack(cast("Engine", engine), "run-1", {(LOCAL, port): protocol}, seed=7)
    await stack.attach()
    clients = Clients("redis" if protocol == "tcp" else protocol, listen)
    async with Toxiproxy(server.url) as api:
        await api.create(proxy.definition())
        try:
            yield Edge(stack, stack.proxies[0], clients, api)
        finally:
            await clients.close()
            await stack.close()
            await api.delete(proxy.name)


@pytest.fixture(params=["redis", "http", "postgres"])
async def edge(request: pytest.FixtureRequest, real_server: Toxiserver) -> AsyncIterator[Edge]:
    port = request.getfixturevalue(f"{request.param}_port")
    async with edges(real_server, request.param, port) as made:
        yield made


@pytest.fixture
async def redis(real_server: Toxiserver, redis_port: int) -> AsyncIterator[Edge]:
    async with edges(real_server, "redis", redis_port) as made:
        yield made


@pytest.fixture
async def plain(real_server: Toxiserver, redis_port: int) -> AsyncIterator[Edge]:
    """The same server when nobody says how to talk to it."""
    async with edges(real_server, "tcp", redis_port) as made:
        yield made


@every_case
async def test_clients_see_what_is_documented_and_are_well_after_the_heal(
    edge: Edge, case: Case
) -> None:
    world = await edge.state()
    fault = edge.fault(case.kind, **case.fields)
    kept, idle = await edge.clients.kept(), await edge.clients.kept()
    before = await edge.before(fault)
    within = SILENCE if case.new is SILENT else 5.0

    undo = await edge.inject(fault)
    seen = await edge.clients.new(LONG, within)
    assert case.new(seen), f"a new connection: {seen}"
    seen = await kept.ask(LONG, within)
    assert case.kept(seen), f"a kept connection: {seen}"
    assert await idle.ended() is not case.idle_during
    during = await edge.during(fault, before)
    assert fault.canary().felt(before, during), f"{before} before, {during} during"
    assert (await fault.verify_injected(edge.stack, undo)).holds

    await edge.heal(fault, undo)
    assert await edge.state() == world
    assert QUICK(await edge.clients.new(LONG))
    assert await idle.ended() is not case.idle_after
    if case.idle_after:
        assert QUICK(await idle.ask(LONG))
    for _ in range(3):  # a busy machine is slow at times
        after = await edge.during(fault, before)
        if not fault.canary().felt(before, after):
            break
    else:
        pytest.fail(f"{before} before, {after} after")


@every_case
async def test_a_fault_that_does_nothing_has_no_receipt_and_is_not_felt(
    edge: Edge, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None:
        pass

    monkeypatch.setattr(Stack, "add_toxic", nothing)
    monkeypatch.setattr(Stack, "close_proxies", nothing)
    fault = edge.fault(case.kind, **case.fields)
    undo = await fault.prepare(edge.stack)
    await fault.inject(edge.stack, undo)
    assert not (await fault.verify_injected(edge.stack, undo)).holds
    for _ in range(3):  # a busy machine is slow at times; one exchange as before tells
        before = await edge.before(fault)
        during = await edge.during(fault, before)
        if not fault.canary().felt(before, during):
            break
    else:
        pytest.fail(f"{before} before, {during} during")
    await fault.heal(edge.stack, undo)


@every_case
async def test_on_a_plain_port_it_is_felt_without_a_word_or_says_that_it_cannot_be(
    plain: Edge, case: Case
) -> None:
    fault = plain.fault(case.kind, **case.fields)
    before = await plain.before(fault)
    assert before.speechless
    undo = await plain.inject(fault)
    during = await plain.during(fault, before)
    if case.kind in {"refuse", "flap", "slow_close"}:
        assert fault.canary().felt(before, during)
        assert fault.canary().blind(before) is None
    else:
        assert not fault.canary().felt(before, during)
        assert "plain TCP port" in (fault.canary().blind(before) or "")
    await plain.heal(fault, undo)


async def test_dropped_replies_were_done_and_dropped_requests_were_not(redis: Edge) -> None:
    direct = Clients("redis", redis.proxy.port)
    check = await direct.kept()
    for kind, done in (("drop_replies", b":1"), ("drop_requests", b":0")):
        line = await redis.clients.kept()
        fault = redis.fault(kind)
        undo = await redis.inject(fault)
        line._writer.write(b"SET %b 1\r\n" % kind.encode())
        assert not await line.ended(SILENCE)
        check._writer.write(b"EXISTS %b\r\n" % kind.encode())
        assert (await check._reader.readline()).strip() == done
        await redis.heal(fault, undo)
        assert await line.ended(1.0)
    check._writer.write(b"DEL drop_replies\r\n")
    await check._reader.readline()
    await direct.close()


async def test_healing_a_stall_delivers_what_was_asked_and_answered(redis: Edge) -> None:
    lines = [await redis.clients.kept() for _ in range(3)]
    fault = redis.fault("stall")
    undo = await redis.inject(fault)
    lines.append(await redis.clients.line())
    for line in lines:
        assert (await line.ask(LONG, SILENCE)).outcome == "silent"
    await redis.heal(fault, undo)
    for line in lines:
        seen = await line.late_answer(LONG)
        assert (seen.outcome, seen.received > LONG) == ("answered", True)


async def test_faults_on_one_edge_add_up_and_heal_one_by_one(edge: Edge) -> None:
    world = await edge.state()
    faults = [
        edge.fault("latency", id="slow", delay="100ms"),
        edge.fault("latency", id="slower", delay="150ms"),
        edge.fault("bandwidth", id="thin", rate="20KB/s", direction="reply"),
        edge.fault("fragment", id="cut", size="200B", delay="1ms"),
        edge.fault("slow_close", id="late", delay="200ms"),
        edge.fault("truncate", id="half", bytes="100KB"),
    ]
    kept = await edge.clients.kept()
    undone = {fault.name: await edge.inject(fault) for fault in faults}
    for line in (kept, await edge.clients.line()):
        seen = await line.ask(LONG)
        assert seen.outcome == "answered"
        assert 0.33 < seen.seconds < 2, seen  # 100 ms, 150 ms, and 2000 bytes at 20 KB/s
    for index in (3, 0, 4, 2, 5, 1):  # another order than they came in
        fault = faults[index]
        await edge.heal(fault, undone.pop(fault.name))
        for other in faults:
            if other.name in undone:
                receipt = await other.verify_injected(edge.stack, undone[other.name])
                assert receipt.holds, receipt.detail
        assert (await kept.ask(LONG)).outcome == "answered"
    assert await edge.state() == world
    assert (await kept.ask(LONG)).seconds < 0.1


async def test_silence_over_slowness_leaves_the_slowness_behind(redis: Edge) -> None:
    slow_, hole = redis.fault("latency", id="slow", delay="150ms"), redis.fault("drop_replies")
    first = await redis.inject(slow_)
    second = await redis.inject(hole)
    assert (await redis.clients.new(within=SILENCE)).outcome == "silent"
    await redis.heal(hole, second)
    assert slow(0.15)(await redis.clients.new())
    await redis.heal(slow_, first)
    assert (await redis.clients.new()).seconds < 0.1


async def test_a_flap_goes_on_by_itself_and_respects_who_holds_the_edge_closed(
    redis: Edge,
) -> None:
    world = await redis.state()
    flap = redis.fault("flap", up="200ms", down="200ms")
    beat = await redis.inject(flap)

    async def watched(seconds: float) -> set[str]:
        loop = asyncio.get_running_loop()
        end, outcomes = loop.time() + seconds, set()
        while loop.time() < end:
            outcomes.add((await redis.clients.new()).outcome)
            await asyncio.sleep(0.02)
        return outcomes

    assert await watched(1.2) >= {"refused", "answered"}
    refuse = redis.fault("refuse")
    held = await refuse.prepare(redis.stack)
    await refuse.inject(redis.stack, held)
    assert await watched(0.8) == {"refused"}
    receipt = await flap.verify_injected(redis.stack, beat)
    assert receipt.holds, receipt.detail
    await redis.heal(flap, beat)
    assert await watched(0.1) == {"refused"}, "one heal must not open what another holds closed"
    await redis.heal(refuse, held)
    assert await watched(0.6) == {"answered"}
    assert await redis.state() == world


async def test_a_fraction_meets_some_connections_and_spares_the_others(redis: Edge) -> None:
    fault = redis.fault("drop_replies", fraction="50%")
    before = await redis.before(fault)
    undo = await redis.inject(fault)
    seen = await asyncio.gather(*(redis.clients.new(within=SILENCE) for _ in range(30)))
    assert {one.outcome for one in seen} == {"silent", "answered"}
    assert fault.canary().felt(before, await redis.during(fault, before))
    await redis.heal(fault, undo)


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("bandwidth", {"rate": "100MB/s"}, "moves"),
        ("fragment", {"size": "20KB"}, "less than two pieces"),
        ("truncate", {"bytes": "20KB"}, "are let through"),
    ],
)
async def test_a_canary_that_moves_too_little_says_so(
    real_server: Toxiserver, postgres_port: int, kind: str, fields: dict[str, str], says: str
) -> None:
    async with edges(real_server, "postgres", postgres_port) as edge:
        fault = edge.fault(kind, **fields)
        before = await edge.before(fault)
        undo = await edge.inject(fault)
        assert not fault.canary().felt(before, await edge.during(fault, before))
        assert says in (fault.canary().blind(before) or "")
        await edge.heal(fault, undo)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("bandwidth", {"rate": "1MB/s"}), ("fragment", {"size": "1KB", "delay": "100us"})],
)
async def test_a_client_that_stops_reading_does_not_keep_a_fault_from_being_healed(
    redis: Edge, kind: str, fields: dict[str, str]
) -> None:
    world = await redis.state()
    other = redis.fault("latency", id="other", delay="50ms", direction="request")
    undone = await redis.inject(other)
    fault = redis.fault(kind, **fields)
    undo = await redis.inject(fault)
    _, writer = await asyncio.open_connection(LOCAL, redis.proxy.listen, limit=1024)
    cast("asyncio.ReadTransport", writer.transport).pause_reading()
    line = await redis.clients.line()
    writer.write(line.request(100_000) * 100)
    await asyncio.sleep(1.0)  # no way to observe that every buffer on the path is full
    await redis.heal(fault, undo)
    assert (await other.verify_injected(redis.stack, undone)).holds
    await redis.heal(other, undone)
    writer.transport.abort()
    assert await redis.state() == world
    assert QUICK(await redis.clients.new(LONG))


async def test_another_process_heals_a_flap_that_nobody_keeps_any_more(redis: Edge) -> None:
    world = await redis.state()
    flap = redis.fault("flap", up="10s", down="10s")
    undo = await redis.inject(flap)
    await redis.stack.close()  # its process died
    another = Stack(redis.stack.engine, "run-1")
    await another.attach()
    assert not (await flap.verify_injected(another, undo)).holds
    assert not (await flap.verify_healed(another, undo)).holds
    await type(flap).heal(another, undo)
    assert (await flap.verify_healed(another, undo)).holds
    await another.close()
    assert await redis.state() == world


async def test_an_edge_without_a_proxy_is_refused_before_anything_changes(redis: Edge) -> None:
    fault = redis.fault("stall", edge="chat -> nowhere")
    with pytest.raises(FaultFailed, match="has no proxy"):
        await fault.prepare(redis.stack)
