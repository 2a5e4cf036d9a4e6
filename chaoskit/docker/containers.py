"""Containers: what the engine shows of them, and what it does to them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaoskit.docker.labels import (
    COMPOSE_NUMBER_LABEL,
    COMPOSE_ONE_OFF_LABEL,
    COMPOSE_PROJECT_LABEL,
    COMPOSE_SERVICE_LABEL,
)
from chaoskit.records import ContainerState

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call


@dataclass(frozen=True, slots=True)
class Container:
    """One container as `inspect` shows it, with what healing and routing need."""

    state: ContainerState
    labels: Mapping[str, str]
    addresses: tuple[str, ...]  # its IPs, on every network
    published: Mapping[int, int]  # container TCP port -> port on 127.0.0.1
    image: str
    image_id: str
    pid: int
    stop_grace: float  # seconds between SIGTERM and SIGKILL
    restarts: bool  # its restart policy brings it back when it ends, or does so just now
    created: str = ""  # by the engine's wall clock, RFC 3339
    environment: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()  # of its command line
    gateways: tuple[str, ...] = ()  # of its networks: where what comes from the host comes from

    @property
    def id(self) -> str:
        return self.state.container_id

    @property
    def name(self) -> str:
        return self.state.name


class Containers:
    """The engine's calls about single containers. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def of(self, project: str, service: str | None = None) -> list[Container]:
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

        def read() -> list[str]:  # whole here: a long log takes a while to decode
            raw = self._api.logs(
                container_id,
                timestamps=True,
                tail="all" if tail is None else tail,
                since=since or None,
            )
            return bytes(raw).decode(errors="replace").splitlines()

        return await self._call("read logs", read)

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


def container_of(data: Mapping[str, Any]) -> Container:
    state, config = data["State"], data["Config"]
    labels = config.get("Labels") or {}
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    ports = (data.get("NetworkSettings") or {}).get("Ports") or {}
    return Container(
        state=ContainerState(
            service=str(labels.get(COMPOSE_SERVICE_LABEL, "")),
            replica=int(labels.get(COMPOSE_NUMBER_LABEL, 1)),
            container_id=data["Id"],
            name=str(data["Name"]).lstrip("/"),
            status=state["Status"],
            health=_health(state),
            exit_code=int(state.get("ExitCode") or 0),
            restart_count=int(data.get("RestartCount") or 0),
            started_at=str(state.get("StartedAt")),
            oom_killed=bool(state.get("OOMKilled")),
        ),
        labels=labels,
        addresses=tuple(
            str(n[key])
            for n in networks.values()
            for key in ("IPAddress", "GlobalIPv6Address")
            if n.get(key)
        ),
        gateways=tuple(
            str(n[key])
            for n in networks.values()
            for key in ("Gateway", "IPv6Gateway")
            if n.get(key)
        ),
        published={
            int(port.split("/")[0]): int(bindings[0]["HostPort"])
            for port, bindings in ports.items()
            if bindings and port.endswith("/tcp")
        },
        image=str(config.get("Image")),
        image_id=str(data.get("Image")),
        pid=int(state.get("Pid") or 0),
        stop_grace=float(config["StopTimeout"] if config.get("StopTimeout") is not None else 10),
        restarts=_restarts(data["HostConfig"].get("RestartPolicy") or {}, state["Status"]),
        created=str(data.get("Created") or ""),
        environment=dict(row.partition("=")[::2] for row in config.get("Env") or ()),
        words=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
    )


def _restarts(policy: Mapping[str, Any], status: str) -> bool:
    """Return whether the engine starts a container again: with `on-failure`, one that it has let
    exit had no failure, or too many."""
    given_up = policy.get("Name") == "on-failure" and status in ("exited", "dead")
    return policy.get("Name", "no") not in ("", "no") and not given_up


def _health(state: Mapping[str, Any]) -> Any:
    status = (state.get("Health") or {}).get("Status")
    return None if status in (None, "", "none") else status
