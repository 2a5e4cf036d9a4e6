"""The user's Compose project as plain values, read from `docker compose config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from chaoskit.records import Json

DEFAULT_NETWORK = "default"
_COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A service on one network."""

    network: str
    aliases: tuple[str, ...] = ()
    fixed_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume, bind mount or tmpfs of a service."""

    type: str
    source: str
    target: str
    read_only: bool
    size: int | None = None  # bytes, of its own file system when a size is given


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the user's own: `upstream` under the name `alias`."""

    upstream: str
    alias: str


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the project, as far as faults, edges and the copy need it."""

    name: str
    image: str | None
    builds: bool
    attachments: tuple[Attachment, ...]
    network_mode: str | None
    container_name: str | None
    hostname: str | None
    ports: tuple[int, ...]  # TCP ports it publishes or exposes, inside the container
    publishes: bool
    links: tuple[Link, ...]
    depends_on: Mapping[str, str]
    environment: Mapping[str, str]
    words: tuple[str, ...]  # command and entrypoint
    mounts: tuple[Mount, ...]
    devices: tuple[str, ...]
    replicas: int
    restart: str | None
    udp_ports: tuple[int, ...] = ()  # like `ports`
    published: Mapping[int, int] = field(default_factory=dict)  # TCP ports of the host, and its own
    inlined: tuple[str, ...] = ()  # configs and secrets that Compose writes into its containers

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(attachment.network for attachment in self.attachments)

    def names_on(self, networks: Iterable[str]) -> tuple[str, ...]:
        """Return every name under which others on these networks can reach it."""
        names = [self.name]
        names += [name for name in (self.container_name, self.hostname) if name]
        for attachment in self.attachments:
            if attachment.network in networks:
                names += attachment.aliases
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Resource:
    """A named volume or a network at the top level."""

    key: str
    name: str
    external: bool
    addressed: bool = False  # a network with its own subnets
    plain: bool = False  # a bridge network as engines make it: ports can be published on it
    size: int | None = None  # bytes, of a volume with its own size
    device: str = ""  # a volume that is really a directory or a network share


@dataclass(frozen=True, slots=True)
class Project:
    """A Compose project: services, networks and volumes by key."""

    name: str
    services: Mapping[str, Service]
    networks: Mapping[str, Resource]
    volumes: Mapping[str, Resource]

    @property
    def jobs(self) -> tuple[str, ...]:
        """The services that are meant to complete: another one waits for that."""
        waits = (w for service in self.services.values() for w in service.depends_on.items())
        return tuple(sorted({name for name, condition in waits if condition == _COMPLETED}))


def parse(config: Mapping[str, Json]) -> Project:
    """Return the project that `docker compose config --format json` printed."""
    data = cast("Mapping[str, Any]", config)
    return Project(
        name=str(data["name"]),
        services={name: _service(name, body, data) for name, body in data["services"].items()},
        networks=_resources(data.get("networks")),
        volumes=_resources(data.get("volumes")),
    )


def _service(name: str, body: Mapping[str, Any], data: Mapping[str, Any]) -> Service:
    mode = body.get("network_mode")
    networks = body.get("networks") or ({} if mode else {DEFAULT_NETWORK: None})
    serves: dict[str, set[int]] = {"tcp": set(), "udp": set()}
    for port in body.get("ports") or ():
        serves.setdefault(port.get("protocol", "tcp"), set()).add(int(port["target"]))
    for text in body.get("expose") or ():
        numbers, _, protocol = str(text).partition("/")
        serves.setdefault(protocol or "tcp", set()).update(_exposed(numbers))
    deploy = body.get("deploy") or {}
    return Service(
        name=name,
        image=body.get("image"),
        builds=body.get("build") is not None,
        attachments=tuple(
            Attachment(
                network,
                tuple((options or {}).get("aliases") or ()),
                (options or {}).get("ipv4_address") or (options or {}).get("ipv6_address"),
            )
            for network, options in networks.items()
        ),
        network_mode=mode,
        container_name=body.get("container_name"),
        hostname=body.get("hostname"),
        ports=tuple(sorted(serves["tcp"])),
        udp_ports=tuple(sorted(serves["udp"])),
        publishes=bool(body.get("ports")),
        published={
            int(port["published"]): int(port["target"])
            for port in body.get("ports") or ()
            if port.get("protocol", "tcp") == "tcp" and str(port.get("published", "")).isdigit()
        },
        links=tuple(_link(text) for text in body.get("links") or ()),
        depends_on={
            upstream: str((options or {}).get("condition", "service_started"))
            for upstream, options in (body.get("depends_on") or {}).items()
        },
        environment={
            key: str(value)
            for key, value in (body.get("environment") or {}).items()
            if value is not None
        },
        words=tuple(_words(body.get("command"))) + tuple(_words(body.get("entrypoint"))),
        mounts=tuple(_mounts(body)),
        devices=tuple(str(_device(device)) for device in body.get("devices") or ()),
        replicas=int(_first(deploy.get("replicas"), body.get("scale"), 1)),
        restart=body.get("restart") or (deploy.get("restart_policy") or {}).get("condition"),
        inlined=tuple(
            str(entry.get("source"))
            for sort in ("configs", "secrets")
            for entry in body.get(sort) or ()
            if not (data.get(sort) or {}).get(str(entry.get("source")), {}).get("file")
        ),
    )


def _mounts(body: Mapping[str, Any]) -> list[Mount]:
    found = [
        Mount(
            str(mount.get("type")),
            str(mount.get("source") or ""),
            str(mount.get("target") or ""),
            bool(mount.get("read_only")),
            _bytes(str((mount.get("tmpfs") or {}).get("size") or "")),
        )
        for mount in body.get("volumes") or ()
    ]
    tmpfs = [str(text).partition(":") for text in _words(body.get("tmpfs"))]
    return found + [Mount("tmpfs", "", path, False, _size_in(opts)) for path, _, opts in tmpfs]


def _size_in(options: str) -> int | None:
    """Return the size that mount options set: `size=16m,mode=777`."""
    found = re.search(r"(?:^|,)\s*size=([^,]+)", options)
    return _bytes(found[1]) if found else None


def _bytes(text: str) -> int | None:
    """Return a size as mount options write it, in bytes; None for a share of the memory."""
    found = re.fullmatch(r"([0-9]+)([kmg]?)b?", text.strip().lower())
    if found is None or int(found[1]) == 0:
        return None  # to the kernel, 0 is unlimited
    return int(found[1]) * {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}[found[2]]


def _resources(body: Mapping[str, Any] | None) -> dict[str, Resource]:
    return {
        key: Resource(
            key,
            str((options or {}).get("name") or key),
            bool((options or {}).get("external")),
            bool(((options or {}).get("ipam") or {}).get("config")),
            _is_plain(options or {}),
            _size_in(str(((options or {}).get("driver_opts") or {}).get("o") or "")),
            _device_of((options or {}).get("driver_opts") or {}),
        )
        for key, options in (body or {}).items()
    }


def _is_plain(network: Mapping[str, Any]) -> bool:
    special = any(network.get(key) for key in ("external", "internal", "driver_opts"))
    return not special and network.get("driver") in (None, "bridge")


def _device_of(options: Mapping[str, Any]) -> str:
    """Return what a volume's driver options point to; tmpfs is nobody's."""
    if options.get("type") == "tmpfs":
        return ""
    return str(options.get("device") or "")


def _link(text: str) -> Link:
    upstream, _, alias = str(text).partition(":")
    return Link(upstream, alias or upstream)


def _exposed(numbers: str) -> Sequence[int]:
    """Return the ports of one `expose` entry: `6379`, `9000-9002`."""
    first, _, last = numbers.partition("-")
    return range(int(first), int(last or first) + 1) if first.isdigit() else ()


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _words(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(word) for word in value]


def _device(device: str | Mapping[str, Any]) -> str:
    return device.split(":")[0] if isinstance(device, str) else str(device.get("source"))
