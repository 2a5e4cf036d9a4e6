"""Real servers in containers of our own. A missing engine or image fails here; nothing skips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from chaoskit.docker.client import Engine
from tests.compose_project import LAB, docker
from tests.contract.real_servers import (
    LOCAL,
    Server,
    Toxiserver,
    container,
    eventually,
    published,
    run_toxiproxy,
    served,
)
from tests.fakes.fake_toxiproxy import FakeToxiproxy


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with Engine.connect() as made:
        yield made


@pytest.fixture(scope="session")
def real_server() -> Iterator[Toxiserver]:
    with run_toxiproxy() as server:
        yield server


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    command = ("redis-server", "--bind", "*", "--protected-mode", "no", "--save", "")
    with container("--publish", f"{LOCAL}::6379", LAB, *command) as started:
        eventually(
            "redis answers",
            lambda: "PONG" in docker("exec", started, "sh", "-c", "redis-cli ping || true"),
        )
        yield published(started, 6379)


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    ready = "pg_isready -q -h 127.0.0.1 && echo yes || true"
    login = ("--env", "POSTGRES_USER=contract", "--env", "POSTGRES_PASSWORD=contract-secret")
    options = ("--user", "postgres", *login)
    with container(*options, "--publish", f"{LOCAL}::5432", LAB, "start-postgres") as started:
        eventually("postgres answers", lambda: docker("exec", started, "sh", "-c", ready) == "yes")
        yield published(started, 5432)


@pytest.fixture
async def real(real_server: Toxiserver) -> AsyncIterator[Server]:
    async for server in served(real_server.url):
        yield server


@pytest.fixture(params=["fake", "real"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """The same case on the fake that unit tests use and on the real server."""
    if request.param == "fake":
        async with FakeToxiproxy() as fake:
            async for server in served(f"http://{LOCAL}:{await fake.start()}"):
                yield server
    else:
        toxiserver: Toxiserver = request.getfixturevalue("real_server")
        async for server in served(toxiserver.url):
            yield server
