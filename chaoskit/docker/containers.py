"""Containers and what happens to them, as the engine tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chaoskit.docker.labels import COMPOSE_NUMBER_LABEL, COMPOSE_SERVICE_LABEL
from chaoskit.records import ContainerState


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
    gateways: tuple[str, ...]
    stop_grace: float  # seconds between SIGTERM and SIGKILL
    restarts: bool  # its restart policy brings it back
    created: str = ""  # by the engine's wall clock, RFC 3339
    environment: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()  # of its command line

    @property
    def id(self) -> str:
        return self.state.container_id

    @property
    def name(self) -> str:
        return self.state.name


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One container event of a project. `time_ns` is the engine's wall clock."""

    service: str
    replica: int
    action: str
    time_ns: int
    exit_code: int | None
    signal: int | None = None  # of a `kill`


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
        published={
            int(port.split("/")[0]): int(bindings[0]["HostPort"])
            for port, bindings in ports.items()
            if bindings and port.endswith("/tcp")
        },
        image=str(config.get("Image")),
        image_id=str(data.get("Image")),
        pid=int(state.get("Pid") or 0),
        gateways=tuple(n["Gateway"] for n in networks.values() if n.get("Gateway")),
        stop_grace=float(config["StopTimeout"] if config.get("StopTimeout") is not None else 10),
        restarts=(data["HostConfig"].get("RestartPolicy") or {}).get("Name", "no")
        not in ("", "no"),
        created=str(data.get("Created") or ""),
        environment=dict(row.partition("=")[::2] for row in config.get("Env") or ()),
        words=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
    )


def _health(state: Mapping[str, Any]) -> Any:
    status = (state.get("Health") or {}).get("Status")
    return None if status in (None, "", "none") else status


def event_of(row: Mapping[str, Any]) -> EngineEvent:
    attributes = (row.get("Actor") or {}).get("Attributes") or {}
    code = attributes.get("exitCode")
    return EngineEvent(
        service=str(attributes.get(COMPOSE_SERVICE_LABEL, "")),
        replica=int(attributes.get(COMPOSE_NUMBER_LABEL, 1)),
        action=str(row.get("Action")),
        time_ns=int(row.get("timeNano") or 0),
        exit_code=None if code is None else int(code),
        signal=int(attributes["signal"]) if attributes.get("signal", "").isdigit() else None,
    )
