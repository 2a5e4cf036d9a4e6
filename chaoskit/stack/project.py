"""The user's Compose project as plain values, read from `docker compose config`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from chaoskit.errors import UsageError
from chaoskit.records import Json

EMPTY = "chaoskit-empty-"  # volumes in the place of folders
DEFAULT_NETWORK = "default"
BRIDGE_NAME = "com.docker.network.bridge.name"
_NAMESPACES = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
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
    joins: tuple[str, ...] = ()  # services whose namespaces or volumes it uses
    parted: bool = False  # a service that it waited for, or had a link to, is left out
    not_its_own: tuple[str, ...] = ()  # of the host or of others, as written: `pid: host`
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
    subnets: tuple[str, ...] = ()  # of a network with its own
    plain: bool = False  # a bridge network as engines make it: ports can be published on it
    size: int | None = None  # bytes, of a volume with its own size
    device: str = ""  # a volume that is really a directory or a network share
    ipv6: bool = False  # a network that asks for IPv6
    bridge: bool = False  # a network whose bridge on the host has a name of its own


@dataclass(frozen=True, slots=True)
class Project:
    """A Compose project: services, networks and volumes by key."""

    name: str
    services: Mapping[str, Service]
    networks: Mapping[str, Resource]
    volumes: Mapping[str, Resource]
    left_out: tuple[str, ...] = ()

    def without(self, names: Sequence[str]) -> Project:
        """Return the project without these services, nor a wait for them or a link to them.

        Raises `UsageError` when another service lives in one of them.
        """
        services = {}
        for service in self.services.values():
            if service.name in names:
                continue
            if joined := next((name for name in service.joins if name in names), None):
                raise UsageError(
                    f"`stack.without` cannot leave `{joined}` out: `{service.name}` lives in it",
                    hint=f"leave `{service.name}` out too",
                )
            links = tuple(link for link in service.links if link.upstream not in names)
            staying = self.services.keys() - set(names)  # an optional one may be missing anyway
            order = {n: c for n, c in service.depends_on.items() if n in staying}
            parted = (links, order) != (service.links, service.depends_on)
            services[service.name] = replace(service, links=links, depends_on=order, parted=parted)
        return replace(self, services=services, left_out=tuple(names))

    def emptied(self, folders: Sequence[str]) -> Project:
        """Return the project with a volume of its own wherever it mounts one of these folders."""
        keys = {folder: f"{EMPTY}{number}" for number, folder in enumerate(folders, 1)}
        services = {
            name: replace(
                service,
                mounts=tuple(
                    replace(mount, type="volume", source=keys[mount.source])
                    if mount.type == "bind" and mount.source in keys
                    else mount
                    for mount in service.mounts
                ),
            )
            for name, service in self.services.items()
        }
        own = {key: Resource(key, f"{self.name}_{key}", external=False) for key in keys.values()}
        return replace(self, services=services, volumes={**self.volumes, **own})

    @property
    def fixed_networks(self) -> frozenset[str]:
        """The networks in which a service has a fixed address."""
        attached = (a for service in self.services.values() for a in service.attachments)
        return frozenset(a.network for a in attached if a.fixed_ip)

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
        joins=tuple(_joins(body)),
        not_its_own=tuple(_not_its_own(body)),
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


def _joins(body: Mapping[str, Any]) -> Iterator[str]:
    for key in _NAMESPACES:
        sort, _, name = str(body.get(key) or "").partition(":")
        if sort == "service":
            yield name
    for text in body.get("volumes_from") or ():
        yield str(text).partition(":")[0]


def _not_its_own(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what gives a service the host's rights, or the namespaces of the host or of a container
    that no run has a copy of."""
    if body.get("privileged"):
        yield "privileged"
    for key in _NAMESPACES:
        value = str(body.get(key) or "")
        if value == "host" or value.startswith("container:"):
            yield f"{key}: {value}"


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
            tuple(_subnets(options or {})),
            _is_plain(options or {}),
            _size_in(str(((options or {}).get("driver_opts") or {}).get("o") or "")),
            _device_of((options or {}).get("driver_opts") or {}),
            bool((options or {}).get("enable_ipv6")),
            BRIDGE_NAME in ((options or {}).get("driver_opts") or {}),
        )
        for key, options in (body or {}).items()
    }


def _subnets(network: Mapping[str, Any]) -> list[str]:
    pools = (network.get("ipam") or {}).get("config") or ()
    return [str(pool["subnet"]) for pool in pools if pool.get("subnet")]


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
