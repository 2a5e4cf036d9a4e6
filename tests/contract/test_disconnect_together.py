"""Containers that come back to one network at the same time all get their own address again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from chaoskit.docker.client import Engine
from tests.compose_project import LAB, docker, new_name
from tests.contract.real_servers import container


@pytest.fixture
def network() -> Iterator[str]:
    name = new_name()
    docker("network", "create", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


async def test_they_do_not_sit_on_each_other_s_addresses(engine: Engine, network: str) -> None:
    with contextlib.ExitStack() as running:
        ids = [
            running.enter_context(container("--network", network, LAB, "sleep", "100"))
            for _ in range(4)
        ]
        before = [(await engine.networks.of(id))[network] for id in ids]
        for id in ids:
            await engine.networks.disconnect(id, network)
        labels = {"io.chaoskit.contract-test": network}
        await asyncio.gather(
            *(
                engine.networks.restore(id, wanted, LAB, labels)
                for id, wanted in reversed(list(zip(ids, before, strict=True)))
            )
        )
        after = [(await engine.networks.of(id))[network] for id in ids]
    assert [one.address for one in after] == [one.address for one in before]
