"""Real servers in containers of our own, removed when a test is done with them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

from chaoskit.docker.client import Engine
from chaoskit.docker.images import toxiproxy_image
from chaoskit.records import Json
from chaoskit.stack.toxiproxy import Toxiproxy, ToxiproxyUnreachable
from tests.compose_project import docker, new_name

LABEL = "io.chaoskit.contract-test"
LOCAL = "127.0.0.1"
PATIENCE = 20.0


@contextlib.contextmanager
def container(*arguments: str) -> Iterator[str]:
    """Run a container for as long as the block lasts."""
    name = new_name()
    try:
        yield docker("run", "--detach", "--name", name, "--label", f"{LABEL}={name}", *arguments)
    finally:
        docker("rm", "--force", "--volumes", name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


def published(container_id: str, port: int) -> int:
    return int(docker("port", container_id, f"{port}/tcp").splitlines()[0].rpartition(":")[2])


def eventually(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        time.sleep(0.02)


async def _image() -> str:
    async with Engine.connect() as engine:
        return await toxiproxy_image(engine.images)


async def _answers(url: str) -> bool:
    async with Toxiproxy(url) as api:
        try:
            return bool(await api.version())
        except ToxiproxyUnreachable:
            return False


@dataclass(slots=True)
class Toxiserver:
    """A Toxiproxy server in the host's network, so that it can dial servers of the test."""

    container: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.port}"


@contextlib.contextmanager
def run_toxiproxy() -> Iterator[Toxiserver]:
    port = free_port()
    image = asyncio.run(_image())
    options = ("--network", "host", image, f"-host={LOCAL}", f"-port={port}")
    with container(*options) as started:
        server = Toxiserver(started, port)
        eventually("toxiproxy answers", lambda: asyncio.run(_answers(server.url)))
        yield server


@dataclass(slots=True)
class Server:
    """A Toxiproxy under test, with our client, and proxies that are deleted afterwards."""

    api: Toxiproxy
    url: str
    names: list[str] = field(default_factory=list)

    def definition(self, upstream: int = 1, **changes: Json) -> dict[str, Json]:
        name = f"p-{uuid.uuid4().hex[:8]}"
        self.names.append(name)
        return {
            "name": name,
            "listen": f"{LOCAL}:{free_port()}",
            "upstream": f"{LOCAL}:{upstream}",
            "enabled": True,
            **changes,
        }


async def served(url: str) -> AsyncIterator[Server]:
    async with Toxiproxy(url, deadline=1.0) as api:
        server = Server(api, url)
        yield server
        for name in server.names:
            await api.delete(name)
