"""A client that goes around its proxy is noticed on whichever end remembers the connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaoskit.docker.containers import Container
from chaoskit.record.events import Noted
from chaoskit.record.writer import Recorder
from chaoskit.run import bypass
from chaoskit.run.bypass import BypassWatch
from chaoskit.stack.connections import Connection, Sockets
from tests.fakes.fake_world import World
from tests.unit.run.conftest import Heard

WEB, API, PROXY = "10.0.0.3", "10.0.0.4", "10.0.0.9"
TIME_WAIT = 6
SAID = ["`web` connected straight to `api`, around its proxy"]


async def look(
    world: World,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    **tables: Sockets | None,
) -> None:
    """Look once at a stack with the edge `web -> api:9000`, with these TCP tables."""
    for name, address in (("web", WEB), ("api", API)):
        world.service(name)
        (one,) = world.engine.of(name)
        world.engine.add(replace(one, addresses=(address,)))
    await world.proxy("web", "api", 9000)

    async def read(_: object, container: Container) -> Sockets | None:
        return tables.get(container.state.service, Sockets())

    monkeypatch.setattr(bypass, "sockets_of", read)
    await BypassWatch(await world.stack(), recorder).look()


def table(*rows: Connection, listening: frozenset[int] = frozenset()) -> Sockets:
    return Sockets(rows, listening)


@pytest.mark.parametrize(
    ("web", "api"),
    [
        (table(Connection(API, 9000, TIME_WAIT, 40000)), table()),
        (table(), table(Connection(WEB, 40000, TIME_WAIT, 9000))),
        (table(), table(Connection(WEB, 40000, 1, 9100), listening=frozenset({9100}))),
        (
            table(Connection(API, 9100, TIME_WAIT, 40000)),
            table(listening=frozenset({9000, 9100})),
        ),
        (None, table(Connection(WEB, 40000, TIME_WAIT, 9000))),
    ],
)
async def test_a_connection_past_the_proxy_is_said(
    world: World,
    recorder: Recorder,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    web: Sockets | None,
    api: Sockets,
) -> None:
    await look(world, recorder, monkeypatch, web=web, api=api)
    assert heard.unproven() == SAID


@pytest.mark.parametrize(
    ("web", "api"),
    [
        (table(Connection(PROXY, 9000, 1, 40000)), table(Connection(PROXY, 40001, 1, 9000))),
        # The other way round: `api` asks `web` on a port of its own.
        (
            table(Connection(API, 40000, 1, 8000), listening=frozenset({8000})),
            table(Connection(WEB, 8000, 1, 40000)),
        ),
    ],
)
async def test_connections_through_the_proxy_and_back_are_no_bypass(
    world: World,
    recorder: Recorder,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
    web: Sockets,
    api: Sockets,
) -> None:
    await look(world, recorder, monkeypatch, web=web, api=api)
    assert not heard


async def test_where_neither_end_can_be_read_it_is_noted(
    world: World, recorder: Recorder, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await look(world, recorder, monkeypatch, web=None, api=None)
    (note,) = [one.event for one in heard if isinstance(one.event, Noted)]
    assert "could not be checked" in note.text
