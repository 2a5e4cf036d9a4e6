"""The Docker engine: the only place that talks to it. Every call has a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from chaoskit.docker.cleanup import Cleanup
from chaoskit.docker.containers import Container, EngineEvent, container_of, event_of
from chaoskit.docker.exec import ContainerExec
from chaoskit.docker.labels import (
    COMPOSE_ONE_OFF_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
)
from chaoskit.docker.limits import ContainerLimits
from chaoskit.docker.networks import Endpoints
from chaoskit.docker.recreate import Recreation
from chaoskit.docker.standby import StandbyHelpers
from chaoskit.errors import EnvironmentFailure, FaultFailed

_PING_AGAIN = 0.25  # seconds
CALL_DEADLINE = 20  # seconds for one call, on top of any grace period it includes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Host:
    """The machine the engine runs on: its wall clock in Unix seconds, its size."""

    now: float
    cpus: int
    memory: int  # bytes
    cgroups: str = ""  # "1" or "2"


class EngineGone(EnvironmentFailure):
    """The Docker engine does not answer."""


class NoSuchContainer(FaultFailed):
    """A container that should be there is not."""


class Engine:
    """The Docker engine behind the current context.

    Raises `EngineGone` when it does not answer, `NoSuchContainer` for a missing container, and
    `EnvironmentFailure` for every other refusal.
    """

    def __init__(self) -> None:
        import docker

        self._pool = ThreadPoolExecutor(max_workers=24, thread_name_prefix="engine")
        self._running: set[Future[Any]] = set()
        try:
            self._api = docker.APIClient(
                base_url=engine_address(), version="auto", timeout=CALL_DEADLINE, num_pools=32
            )
            self.version = str(cast("Mapping[str, Any]", self._api.version())["Version"])
        except Exception as error:
            raise EngineGone(
                f"the Docker engine at `{engine_address()}` does not answer",
                hint="start Docker (Docker Desktop, `systemctl start docker` or `make setup`)",
            ) from error
        self.limits = ContainerLimits(self._api, self._call)
        self.networks = Endpoints(self._api, self._call)
        self.recreate = Recreation(self._api, self._call)
        self.cleanup = Cleanup(self._api, self._call)
        self.exec = ContainerExec(self._api, self._call)
        self.standby = StandbyHelpers(self._api, self._call)

    def close(self) -> None:
        self.standby.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._api.close()

    async def _call(self, what: str, function: Callable[[], T]) -> T:
        """Run a blocking SDK call in a thread and translate its errors."""
        future = self._pool.submit(_translated, what, function)
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
        loop = asyncio.get_running_loop()
        ends = loop.time() + within
        while True:
            try:
                await self._call("ping", self._api.ping)
            except EnvironmentFailure:
                if loop.time() > ends:
                    return False
                await asyncio.sleep(_PING_AGAIN)
            else:
                return True

    # -- reading ---------------------------------------------------------------------------------

    async def containers(self, project: str, service: str | None = None) -> list[Container]:
        """Return the containers of a Compose project, stopped ones too, by service and number."""
        labels = [f"{COMPOSE_PROJECT_LABEL}={project}"]
        if service is not None:
            labels.append(f"{COMPOSE_SERVICE_LABEL}={service}")

        def read() -> list[Container]:
            from docker.errors import NotFound

            found = []
            for row in self._api.containers(all=True, filters={"label": labels}):
                with contextlib.suppress(NotFound):  # removed between the two calls
                    found.append(container_of(self._api.inspect_container(row["Id"])))
            kept = [c for c in found if c.labels.get(COMPOSE_ONE_OFF_LABEL, "False") != "True"]
            return sorted(kept, key=lambda c: (c.state.service, c.state.replica))

        return await self._call("list containers", read)

    async def inspect(self, container_id: str) -> Container:
        return await self._call(
            "inspect", lambda: container_of(self._api.inspect_container(container_id))
        )

    async def logs(self, container_id: str, tail: int | None = None, since: int = 0) -> list[str]:
        """Return the lines a container printed, each starting with its RFC 3339 time.

        `since` is a Unix time in seconds; 0 means from the start.
        """
        raw = await self._call(
            "read logs",
            lambda: self._api.logs(
                container_id,
                timestamps=True,
                tail="all" if tail is None else tail,
                since=since or None,
            ),
        )
        return bytes(raw).decode(errors="replace").splitlines()

    async def network_bytes(self, container_id: str) -> int:
        """Return the bytes received and sent so far on all interfaces of a container."""
        stats = await self._call(
            "read statistics",
            lambda: self._api.stats(container_id, stream=False, one_shot=True),
        )
        networks = cast("Mapping[str, Any]", stats).get("networks") or {}
        return sum(int(n["rx_bytes"]) + int(n["tx_bytes"]) for n in networks.values())

    async def has_image(self, image: str) -> bool:
        return await self.image_digest(image) is not None

    async def image_digest(self, image: str) -> str | None:
        """Return the repository digest or the id of a local image, None when it is missing."""
        found = await self._image(image)
        if found is None:
            return None
        digests = found.get("RepoDigests") or []
        return str(digests[0] if digests else found["Id"])

    async def image_ports(self, image: str) -> list[int]:
        """Return the TCP ports a local image exposes; none when the image is not there yet."""
        found = await self._image(image)
        exposed = ((found or {}).get("Config") or {}).get("ExposedPorts") or {}
        return [int(port.split("/")[0]) for port in exposed if not port.endswith("/udp")]

    async def _image(self, image: str) -> Mapping[str, Any] | None:
        def inspect() -> Mapping[str, Any] | None:
            from docker.errors import ImageNotFound

            try:
                found = self._api.inspect_image(image)  # type: ignore[no-untyped-call]  # its stubs
                return cast("Mapping[str, Any]", found)
            except ImageNotFound:
                return None

        return await self._call("inspect image", inspect)

    async def pull(self, image: str) -> None:
        """Pull an image; raises `EnvironmentFailure` when no registry gives it."""
        await self._call(f"pull {image}", lambda: self._api.pull(image))

    # -- changing --------------------------------------------------------------------------------

    async def start(self, container_id: str) -> None:
        await self._call("start", lambda: self._api.start(container_id))

    async def stop(self, container_id: str, grace: float | None = None) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds (the container's own period by default);
        returns when the container has stopped."""
        if grace is None:
            grace = (await self.inspect(container_id)).stop_grace
        await self._call("stop", lambda: self._api.stop(container_id, timeout=round(grace)))

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Signal the main process; a container that is not running is left as it is."""

        def kill() -> None:
            from docker.errors import APIError

            try:
                self._api.kill(container_id, signal=signal)
            except APIError as error:
                if error.status_code != 409:  # 409: not running
                    raise

        await self._call("kill", kill)

    async def pause(self, container_id: str) -> None:
        await self._call("pause", lambda: self._api.pause(container_id))

    async def unpause(self, container_id: str) -> None:
        await self._call("unpause", lambda: self._api.unpause(container_id))

    async def run_container(
        self,
        image: str,
        argv: Sequence[str],
        *,
        labels: Mapping[str, str],
        network: str,
        host_processes: bool,
        capabilities: Sequence[str],
        within: float,
        volumes: Mapping[str, str] | None = None,
    ) -> tuple[int | None, str]:
        """Run a container to its end and remove it; return its exit status (None when it ran past
        `within` seconds) and what it printed. `volumes` are mounted by name, each at its path."""

        def run() -> tuple[int | None, str]:
            import requests

            host = self._api.create_host_config(
                network_mode=network,
                pid_mode="host" if host_processes else None,
                cap_drop=["ALL"],
                cap_add=list(capabilities),
                binds=[f"{name}:{path}" for name, path in (volumes or {}).items()],
            )
            made = self._api.create_container(
                image, list(argv), entrypoint="", labels=dict(labels), host_config=host
            )
            try:
                self._api.start(made["Id"])
                try:
                    ended = self._api.wait(made["Id"], timeout=round(within))
                    status: int | None = ended["StatusCode"]
                except requests.exceptions.RequestException:
                    status = None
                text = bytes(self._api.logs(made["Id"])).decode(errors="replace")
            finally:
                self._api.remove_container(made["Id"], force=True, v=True)
            return status, text

        return await self._call("run a helper", run)

    async def host(self) -> Host:
        """Return what the engine says about its machine now."""
        info = await self._call("ask the engine", self._api.info)
        now = datetime.fromisoformat(str(info["SystemTime"]))
        cgroups = str(info.get("CgroupVersion") or "")
        return Host(now.timestamp(), int(info["NCPU"]), int(info["MemTotal"]), cgroups)

    async def security_options(self) -> str:
        """Return the engine's security options as one text: `name=seccomp,name=rootless`."""
        info = await self._call("ask the engine", self._api.info)
        return ",".join(info.get("SecurityOptions") or ())

    async def has_limit(self, name: str) -> bool:
        """Say whether the engine can set a limit, by its name in `docker info`."""
        return bool((await self._call("ask the engine", self._api.info)).get(name))

    # -- watching --------------------------------------------------------------------------------

    async def events_since(self, project: str, since: float, service: str) -> list[EngineEvent]:
        """Return what happened to the containers of a service from `since` (Unix seconds on the
        engine's clock) until now; the engine keeps its last 256 events at least."""
        until = (await self.host()).now
        labels = [f"{COMPOSE_PROJECT_LABEL}={project}", f"{COMPOSE_SERVICE_LABEL}={service}"]

        def read() -> list[EngineEvent]:
            rows = cast("Any", self._api).events(  # its stubs know only whole seconds
                since=f"{since:.9f}",
                until=f"{until:.9f}",
                decode=True,
                filters={"type": "container", "label": labels},
            )
            return [event_of(cast("Mapping[str, Any]", row)) for row in rows]

        return await self._call("read events", read)

    def watch(
        self, project: str, emit: Callable[[EngineEvent], None], lost: Callable[[], None]
    ) -> Callable[[], None]:
        """Call `emit` in the event loop for each container event of a project, until stopped.

        `lost` is called there when the engine ends the stream. Returns the function that stops it.
        """
        loop = asyncio.get_running_loop()
        stopped = threading.Event()
        stream = self._api.events(
            decode=True,
            filters={"type": "container", "label": f"{COMPOSE_PROJECT_LABEL}={project}"},
        )

        def follow() -> None:
            with contextlib.suppress(Exception):  # the stream was closed, or the engine went away
                for row in stream:
                    event = event_of(cast("Mapping[str, Any]", row))
                    loop.call_soon_threadsafe(emit, event)
            if not stopped.is_set():
                with contextlib.suppress(RuntimeError):  # the loop may be gone, too
                    loop.call_soon_threadsafe(lost)

        threading.Thread(target=follow, name="engine-events", daemon=True).start()

        def stop() -> None:
            stopped.set()
            with contextlib.suppress(Exception):
                stream.close()

        return stop


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
    return "unix:///var/run/docker.sock"


def _translated(what: str, function: Callable[[], T]) -> T:
    import requests
    from docker.errors import APIError, NotFound

    try:
        return function()
    except NotFound as error:
        raise NoSuchContainer(f"{what}: {error.explanation or error}") from error
    except APIError as error:
        raise EnvironmentFailure(f"{what}: {error.explanation or error}") from error
    except requests.exceptions.Timeout as error:
        raise EngineGone(f"{what}: the Docker engine gave no answer in time") from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise EngineGone(f"{what}: the Docker engine does not answer") from error
