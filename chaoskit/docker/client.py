"""The Docker engine: the only place that talks to it. Every call has a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chaoskit.clock import until
from chaoskit.docker.cleanup import Cleanup
from chaoskit.docker.containers import Containers
from chaoskit.docker.errors import DEFAULT_ADDRESS, translated
from chaoskit.docker.events import Events
from chaoskit.docker.exec import ContainerExec
from chaoskit.docker.helper import Helpers
from chaoskit.docker.images import Images
from chaoskit.docker.limits import ContainerLimits
from chaoskit.docker.logs import Logs
from chaoskit.docker.machine import Machine
from chaoskit.docker.networks import Networks
from chaoskit.docker.recreate import ContainerRecreation
from chaoskit.docker.volumes import Volumes
from chaoskit.errors import EnvironmentFailure
from chaoskit.tasks import whole

if TYPE_CHECKING:
    from docker import APIClient

_PING_AGAIN, _CONNECT_AGAIN = 0.25, 0.5  # seconds
CALL_DEADLINE = 20  # seconds for one call, on top of any grace period it includes

T = TypeVar("T")


class Engine:
    """The Docker engine behind the current context: `async with Engine.connect() as engine`.

    Raises `EngineGone` when it does not answer, `NoSuchContainer` for a missing container, and
    `EnvironmentFailure` for every other refusal.
    """

    def __init__(self, api: APIClient, version: str, address: str) -> None:
        """`connect` makes it."""
        self.version = version
        self._api = api
        self._address = address
        self._pool = ThreadPoolExecutor(max_workers=24, thread_name_prefix="engine")
        self._running: set[Future[Any]] = set()
        self.images = Images(self._api, self._call)
        self.containers = Containers(self._api, self._call)
        self.logs = Logs(self._api, self._call)
        self.networks = Networks(self._api, self._call)
        self.volumes = Volumes(self._api, self._call)
        self.exec = ContainerExec(self._api, self._call)
        self.limits = ContainerLimits(self._api, self._call)
        self.recreate = ContainerRecreation(self._api, self._call)
        self.cleanup = Cleanup(self._api, self._call)
        self.helpers = Helpers(self._api, self._call, self.images)
        self.machine = Machine(self._api, self._call)
        self.events = Events(self._api, self._call, self.machine)

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, within: float = 0.0) -> AsyncIterator[Engine]:
        """Connect for the time of an `async with`; the engine may take `within` seconds to be
        there. Raises `EnvironmentFailure`."""

        async def connected() -> Engine | EnvironmentFailure:
            try:
                return await whole(asyncio.to_thread(_connected), _close)
            except EnvironmentFailure as error:
                return error

        engine = await until(
            connected,
            met=lambda made: isinstance(made, Engine),
            within=within,
            every=_CONNECT_AGAIN,
        )
        if isinstance(engine, EnvironmentFailure):
            raise engine
        try:
            yield engine
        finally:
            await _close(engine)

    def close(self) -> None:
        """End everything that stands by; calls that are under way end by themselves."""
        self.helpers.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._api.close()

    async def _call(self, what: str, function: Callable[[], T]) -> T:
        """Run a blocking SDK call in a thread and translate its errors."""
        future = self._pool.submit(translated, what, function, self._address)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)

    async def quiesce(self, within: float) -> None:
        """Wait until calls whose caller was cancelled have ended: a stop that is still under way
        would undo a heal that overtakes it."""
        running = [asyncio.wrap_future(future) for future in list(self._running)]
        if running:
            await asyncio.wait(running, timeout=within)

    async def back(self, within: float) -> bool:
        """Wait until the engine answers, `within` seconds at most: it may be restarting."""

        async def answers() -> bool:
            try:
                await self._call("ping", self._api.ping)
            except EnvironmentFailure:
                return False
            return True

        return await until(answers, within=within, every=_PING_AGAIN)


def _connected() -> Engine:
    import docker

    address = engine_address()

    def connect() -> Engine:
        with contextlib.ExitStack() as failed:
            api = docker.APIClient(
                base_url=address, version="auto", timeout=CALL_DEADLINE, num_pools=32
            )
            failed.callback(api.close)
            answer = cast("Mapping[str, Any]", api.version())
            if any("podman" in str(part.get("Name")).lower() for part in _parts(answer)):
                raise EnvironmentFailure(
                    f"{address} is Podman's: its engine has no links, which lead a client to its"
                    " proxy",
                    hint="use a Docker engine: see `docker context ls` and DOCKER_HOST",
                )
            engine = Engine(api, str(answer["Version"]), address)
            failed.pop_all()
            return engine

    return translated("", connect, address)


def _parts(version: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return version.get("Components") or ()


async def _close(engine: Engine) -> None:
    await asyncio.to_thread(engine.close)


def engine_address() -> str:
    """Return the engine's address: DOCKER_HOST, else the current context's, else the default."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        shown = subprocess.run(
            ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        if shown.stdout.strip():
            return shown.stdout.strip()
    return DEFAULT_ADDRESS
