"""Toxiproxy's API: the same cases on the real server and on the fake of the unit tests."""

from __future__ import annotations

import pytest

from chaoskit.stack.toxiproxy import Toxic, ToxiproxyRefused
from tests.contract.real_servers import Server

SLOW = Toxic("slow.downstream", "latency", "downstream", {"latency": 300, "jitter": 50})
TOXICS = [
    SLOW,
    Toxic("slow.upstream", "latency", "upstream", {"latency": 1, "jitter": 0}, 0.25),
    Toxic("hole.upstream", "timeout", "upstream", {"timeout": 0}),
    Toxic("hole.downstream", "timeout", "downstream", {"timeout": 0}),
]


async def test_it_tells_its_version(either: Server) -> None:
    assert await either.api.version() == "2.12.0"


async def test_a_created_proxy_is_read_back_as_defined(either: Server) -> None:
    definition = either.definition()
    made = await either.api.create(definition)
    assert {key: getattr(made, key) for key in definition} == definition
    assert made.toxics == ()
    assert await either.api.proxy(made.name) == made
    assert (await either.api.proxies())[made.name] == made


async def test_a_proxy_can_be_created_closed(either: Server) -> None:
    made = await either.api.create(either.definition(enabled=False))
    assert not made.enabled


@pytest.mark.parametrize("missing", ["name", "upstream"])
async def test_a_definition_without_a_name_or_an_upstream_is_refused(
    either: Server, missing: str
) -> None:
    with pytest.raises(ToxiproxyRefused, match=f"missing required field: {missing}") as caught:
        await either.api.create({**either.definition(), missing: ""})
    assert caught.value.status == 400


async def test_a_name_that_is_taken_is_refused(either: Server) -> None:
    definition = either.definition()
    await either.api.create(definition)
    with pytest.raises(ToxiproxyRefused, match="already exists") as caught:
        await either.api.create(definition)
    assert caught.value.status == 409


async def test_a_port_that_is_busy_is_a_server_error_and_not_a_success(either: Server) -> None:
    first = await either.api.create(either.definition())
    with pytest.raises(ToxiproxyRefused, match="address already in use") as caught:
        await either.api.create(either.definition(listen=first.listen))
    assert caught.value.status == 500


@pytest.mark.parametrize("toxic", TOXICS, ids=lambda toxic: toxic.name)
async def test_a_toxic_is_read_back_with_every_attribute(either: Server, toxic: Toxic) -> None:
    proxy = await either.api.create(either.definition())
    assert await either.api.add_toxic(proxy.name, toxic) == toxic
    assert (await either.api.proxy(proxy.name)).toxics == (toxic,)


async def test_an_attribute_it_does_not_know_is_dropped_without_a_word(either: Server) -> None:
    proxy = await either.api.create(either.definition())
    typo = Toxic("slow.downstream", "latency", "downstream", {"latncy": 300})
    made = await either.api.add_toxic(proxy.name, typo)
    assert made != typo
    assert made.attributes == {"latency": 0, "jitter": 0}


@pytest.mark.parametrize(
    ("toxic", "status"),
    [
        (SLOW, 409),
        (Toxic("x", "latncy", "downstream", {}), 400),
        (Toxic("x", "latency", "sideways", {}), 400),  # type: ignore[arg-type]  # wrong on purpose
        (Toxic("x", "latency", "downstream", {"latency": 1.5}), 400),  # type: ignore[dict-item]
    ],
    ids=["twice", "no-such-type", "no-such-stream", "not-whole"],
)
async def test_a_toxic_that_makes_no_sense_is_refused(
    either: Server, toxic: Toxic, status: int
) -> None:
    proxy = await either.api.create(either.definition())
    await either.api.add_toxic(proxy.name, SLOW)
    with pytest.raises(ToxiproxyRefused) as caught:
        await either.api.add_toxic(proxy.name, toxic)
    assert caught.value.status == status
    assert (await either.api.proxy(proxy.name)).toxics == (SLOW,)


async def test_removing_what_is_not_there_is_fine(either: Server) -> None:
    proxy = await either.api.create(either.definition())
    await either.api.remove_toxic(proxy.name, "never-was")
    await either.api.remove_toxic("no-such-proxy", "never-was")
    await either.api.delete("no-such-proxy")


async def test_what_was_removed_is_gone(either: Server) -> None:
    proxy = await either.api.create(either.definition())
    await either.api.add_toxic(proxy.name, SLOW)
    await either.api.remove_toxic(proxy.name, SLOW.name)
    assert (await either.api.proxy(proxy.name)).toxics == ()
    await either.api.delete(proxy.name)
    assert proxy.name not in await either.api.proxies()
    with pytest.raises(ToxiproxyRefused, match="proxy not found") as caught:
        await either.api.proxy(proxy.name)
    assert caught.value.status == 404


async def test_closing_and_opening_a_proxy_keeps_its_toxics(either: Server) -> None:
    proxy = await either.api.create(either.definition())
    await either.api.add_toxic(proxy.name, SLOW)
    closed = await either.api.set_enabled(proxy.name, False)
    assert (closed.enabled, closed.toxics) == (False, (SLOW,))
    opened = await either.api.set_enabled(proxy.name, True)
    assert (opened.enabled, opened.toxics) == (True, (SLOW,))


async def test_a_recreated_proxy_has_no_toxics(either: Server) -> None:
    definition = either.definition()
    await either.api.create(definition)
    await either.api.add_toxic(str(definition["name"]), SLOW)
    assert (await either.api.recreate(definition)).toxics == ()


async def test_a_listener_on_all_addresses_comes_back_as_ipv6(either: Server) -> None:
    definition = either.definition(enabled=False)
    port = str(definition["listen"]).rpartition(":")[2]
    made = await either.api.create({**definition, "listen": f"[::]:{port}"})
    assert made.listen == f"[::]:{port}"
