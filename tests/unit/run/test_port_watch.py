"""Every port that a proxied upstream listens on is served, or it is said that it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from chaoskit.docker.containers import Container
from chaoskit.errors import FaultFailed
from chaoskit.exchange import Exchange
from chaoskit.fields import Edge
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Noted
from chaoskit.record.writer import Recorder
from chaoskit.run import port_watch
from chaoskit.run.port_watch import PortWatch
from chaoskit.stack.connections import Sockets
from chaoskit.stack.edge_traffic import Line, Meters, Packets
from chaoskit.stack.edges import PossibleEdge
from chaoskit.stack.stack import Stack
from tests.fakes.fake_world import World
from tests.unit.run.conftest import Heard

CLIENT = "10.0.0.7"


@dataclass
class Ports:
    """What the services listen on; None where nobody can tell."""

    of: dict[str, set[int] | None] = field(default_factory=dict)

    async def read(self, _: object, container: Container) -> Sockets | None:
        found = self.of.get(container.state.service, set())
        return None if found is None else Sockets(listening=frozenset(found))


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Ports:
    made = Ports()
    monkeypatch.setattr(port_watch, "sockets_of", made.read)
    return made


@pytest.fixture
async def stack(world: World) -> Stack:
    """A stack with the edge `web -> api`, of which port 9000 is known."""
    world.service("api")
    world.service("jobs")
    await world.proxy("web", "api", 9000)
    return await world.stack()


def watch(stack: Stack, recorder: Recorder, cut: set[tuple[str, str]] | None = None) -> PortWatch:
    return PortWatch(stack, recorder, lambda: cut or set())


def served(stack: Stack) -> set[str]:
    return {str(proxy.edge) for proxy in stack.proxies}


async def test_a_port_that_nobody_wrote_down_is_served_where_the_client_looks_for_it(
    stack: Stack, ports: Ports, recorder: Recorder, world: World, heard: Heard
) -> None:
    ports.of["api"] = {9000, 9100}
    looking = watch(stack, recorder)
    await looking.look()
    await looking.look()
    assert served(stack) == {"web -> api:9000", "web -> api:9100"}
    made = world.servers["chaoskit-web"].proxies
    assert made["api_9100"]["listen"] == "[::]:9100"
    assert made["api_9100"]["upstream"] == "api:9100"
    assert (made["canary-to-api_9100"]["listen"], made["canary-to-api_9100"]["upstream"]) == (
        "[::]:29001",
        "127.0.0.1:9100",
    )
    assert heard.unproven() == []


async def test_faults_on_the_edge_touch_it_and_another_process_finds_it(
    stack: Stack, ports: Ports, recorder: Recorder, world: World
) -> None:
    ports.of["api"] = {9000, 9100}
    await watch(stack, recorder).look()
    assert len(stack.proxies_of(Edge("web", "api"))) == 2
    await stack.attach()
    assert len(stack.proxies) == 2
    another = await world.stack()
    assert len(another.proxies) == 1
    await another.find_late_proxies()
    assert set(another.proxies) == set(stack.proxies)


async def test_canaries_have_as_many_ways_as_there_are_spare_ports(
    stack: Stack, ports: Ports, recorder: Recorder, world: World
) -> None:
    ports.of["api"] = {9000, 9100, 9200, 9300}
    await watch(stack, recorder).look()
    names = [name for name in world.servers["chaoskit-web"].proxies if name.startswith("canary")]
    assert sorted(names) == ["canary-to-api_9100", "canary-to-api_9200"]
    assert len(stack.proxies) == 4


async def test_a_port_that_comes_while_a_fault_is_in_force_makes_the_run_unknown(
    stack: Stack, ports: Ports, recorder: Recorder, heard: Heard
) -> None:
    ports.of["api"] = {9000, 9100}
    await watch(stack, recorder, {("web", "api")}).look()
    assert heard.unproven() == [
        (
            "`api` began to listen on 9100 while a fault on web -> api was in force,"
            " which did not touch it"
        )
    ]


class Counted:
    """Meters that saw these packets at every proxy."""

    def __init__(self, *, attempts: Mapping[int, int], datagrams: Mapping[int, int]) -> None:
        syn, udp = (
            tuple(Packets(CLIENT, port, number) for port, number in packets.items())
            for packets in (attempts, datagrams)
        )
        self._line = Line(0.0, 1.0, (), syn, udp)

    def has(self, container: str) -> bool:
        return True

    async def lines(self, container: str) -> list[Line]:
        return [self._line]


async def reported(
    looking: PortWatch, attempts: Mapping[int, int], datagrams: Mapping[int, int] | None = None
) -> None:
    meters = Counted(attempts=attempts, datagrams=datagrams or {})
    await looking.report(cast("Meters", meters))


async def test_two_upstreams_on_one_port_are_said_when_the_client_tries_it(
    stack: Stack, ports: Ports, recorder: Recorder, world: World, heard: Heard
) -> None:
    await world.proxy("web", "jobs", 7000)
    await stack.attach()
    ports.of |= {"api": {9000, 9100}, "jobs": {7000, 9100}}
    looking = watch(stack, recorder)
    await looking.look()
    assert served(stack) == {"web -> api:9000", "web -> jobs:7000"}
    await reported(looking, {9000: 5, 9999: 1})
    assert heard.unproven() == []
    await reported(looking, {9100: 1})
    assert heard.unproven() == [
        (
            "`web` reaches `api` and `jobs` through one proxy, which can serve port 9100 for one of"
            " its upstreams only: declare `{edge: web -> api, port: 9100}` under `stack.edges`"
        )
    ]


async def test_a_port_that_another_upstream_of_the_client_serves_already_is_said(
    stack: Stack, ports: Ports, recorder: Recorder, world: World, heard: Heard
) -> None:
    await world.proxy("web", "jobs", 7000)
    await stack.attach()
    ports.of |= {"api": {9000}, "jobs": {7000, 9000}}
    looking = watch(stack, recorder)
    await looking.look()
    await reported(looking, {9000: 1})
    assert "declare `{edge: web -> jobs, port: 9000}`" in heard.unproven()[0]


async def test_a_port_that_toxiproxy_needs_itself_and_udp_are_said(
    stack: Stack, ports: Ports, recorder: Recorder, heard: Heard
) -> None:
    ports.of["api"] = {9000, 8474}
    looking = watch(stack, recorder)
    await looking.look()
    await reported(looking, {8474: 1}, {53: 2, 8125: 9})
    assert heard.unproven() == [
        "`api` listens on 8474, which its proxies need for themselves",
        "`web` sent UDP to `api` (port 53, 8125), which no proxy passes",
    ]


async def test_where_nothing_was_counted_a_port_that_cannot_be_served_is_said_at_once(
    stack: Stack, ports: Ports, recorder: Recorder, heard: Heard
) -> None:
    ports.of["api"] = {9000, 8474}
    looking = watch(stack, recorder)
    await looking.look()
    await looking.report(Meters(stack))
    assert heard.unproven() == ["`api` listens on 8474, which its proxies need for themselves"]


@dataclass
class Needed:
    """As much of a plan as is asked for: an edge whose port nothing told."""

    faulted: bool = False
    is_named: bool = False

    @property
    def proxied(self) -> list[PossibleEdge]:
        return [PossibleEdge("web", "jobs", None, ("default",), "depends_on")]

    @property
    def faults(self) -> list[Any]:
        return [self]

    @property
    def edges(self) -> Any:
        """The map of edges to the watch; the edges of a fault when called."""
        return self

    def __call__(self) -> list[Edge]:
        return [Edge("web", "jobs")] if self.faulted else []

    def named(self, client: str, upstream: str) -> bool:
        return self.is_named


async def settle(looking: PortWatch, needed: Needed) -> None:
    await looking.settled(cast("Plan", needed))


@pytest.fixture
async def unknown(stack: Stack, world: World) -> Stack:
    """The same stack, where `web` also has a proxy for the name `jobs` and no port of it."""
    await world.proxy("web", "jobs", 7000)
    (one,) = world.engine.of("chaoskit-web")
    labels = {**one.labels, "io.chaoskit.proxies": "[]"}
    world.engine.all[one.id] = one.__class__(
        **{name: getattr(one, name) for name in one.__slots__ if name != "labels"}, labels=labels
    )
    await stack.attach()
    return stack


@pytest.mark.parametrize(
    ("needed", "listens", "why"),
    [
        (Needed(faulted=True), set(), "it listens on none"),
        (Needed(is_named=True), set(), "it listens on none"),
        (Needed(), None, "its sockets cannot be read"),
    ],
)
async def test_an_edge_whose_port_stays_unknown_ends_the_run_before_anything_is_injected(
    unknown: Stack,
    ports: Ports,
    recorder: Recorder,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    needed: Needed,
    listens: set[int] | None,
    why: str,
) -> None:
    async def no_helper(*_: Any, **__: Any) -> Any:
        raise FaultFailed("no helper image")

    monkeypatch.setattr(world.engine.helpers, "run", no_helper)
    ports.of["jobs"] = listens
    with pytest.raises(FaultFailed, match=why):
        await settle(watch(unknown, recorder), needed)


async def test_a_service_that_only_has_to_start_first_and_listens_on_nothing_is_no_edge(
    unknown: Stack, ports: Ports, recorder: Recorder, heard: Heard
) -> None:
    await settle(watch(unknown, recorder), Needed())
    notes = [one.event.text for one in heard if isinstance(one.event, Noted)]
    assert notes == ["`jobs` listens on no TCP port: there is no edge `web -> jobs`"]


async def test_what_its_sockets_tell_in_the_end_is_enough(
    unknown: Stack, ports: Ports, recorder: Recorder
) -> None:
    ports.of["jobs"] = {7070}
    await settle(watch(unknown, recorder), Needed(faulted=True))
    assert "web -> jobs:7070" in served(unknown)


async def test_a_port_that_only_sockets_told_speaks_what_the_others_of_its_service_speak(
    stack: Stack,
    ports: Ports,
    recorder: Recorder,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def exchange(_host: str, _port: int, protocol: str, *_: object) -> Exchange:
        return Exchange(protocol, "answered", 0.001)

    monkeypatch.setattr("chaoskit.stack.stack.exchange", exchange)
    world.service("redis")
    await world.proxy("web", "redis", 6379)
    await stack.attach()
    ports.of |= {"api": {9000, 9100}, "redis": {6379, 6390}}
    await watch(stack, recorder).look()
    asked = {str(p.edge): (await stack.exchange(p)).what for p in stack.proxies}
    assert asked == {
        "web -> api:9000": "tcp",
        "web -> api:9100": "tcp",
        "web -> redis:6379": "redis",
        "web -> redis:6390": "redis",
    }
