"""`toxiproxy-python` as an independent witness: it must see what our client did, and ours what it
did. Its server is a class variable, so it is used here only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import toxiproxy
from toxiproxy.api import APIConsumer

from chaoskit.stack.toxiproxy import Toxic
from tests.contract.real_servers import Server, Toxiserver

SLOW = Toxic("slow.downstream", "latency", "downstream", {"latency": 300, "jitter": 50}, 0.5)


@pytest.fixture
def other(real_server: Toxiserver) -> Iterator[Any]:
    was = APIConsumer.host, APIConsumer.port
    client = toxiproxy.Toxiproxy()
    client.update_api_consumer("127.0.0.1", real_server.port)
    yield client
    APIConsumer.host, APIConsumer.port = was


async def test_it_sees_the_proxies_and_toxics_that_we_made(real: Server, other: Any) -> None:
    made = await real.api.create(real.definition())
    await real.api.add_toxic(made.name, SLOW)
    await real.api.set_enabled(made.name, False)
    seen = await asyncio.to_thread(other.get_proxy, made.name)
    assert (seen.listen, seen.upstream, seen.enabled) == (made.listen, made.upstream, False)
    toxic = await asyncio.to_thread(seen.get_toxic, SLOW.name)
    assert (toxic.type, toxic.stream, toxic.toxicity) == ("latency", "downstream", 0.5)
    assert toxic.attributes == SLOW.attributes
    await real.api.remove_toxic(made.name, SLOW.name)
    assert await asyncio.to_thread(seen.toxics) == {}
    await real.api.delete(made.name)
    assert await asyncio.to_thread(other.get_proxy, made.name) is None


async def test_we_see_the_proxies_and_toxics_that_it_made(real: Server, other: Any) -> None:
    wanted = real.definition()
    made = await asyncio.to_thread(
        lambda: other.create(
            name=wanted["name"], upstream=wanted["upstream"], listen=wanted["listen"]
        )
    )
    await asyncio.to_thread(
        lambda: made.add_toxic(
            name=SLOW.name,
            type=SLOW.type,
            stream=SLOW.stream,
            toxicity=SLOW.toxicity,
            attributes=dict(SLOW.attributes),
        )
    )
    seen = await real.api.proxy(made.name)
    assert (seen.upstream, seen.enabled, seen.toxics) == (wanted["upstream"], True, (SLOW,))
    await asyncio.to_thread(made.disable)
    assert not (await real.api.proxy(made.name)).enabled
    await asyncio.to_thread(made.destroy)
    assert made.name not in await real.api.proxies()
