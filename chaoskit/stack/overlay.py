"""The overlay: the one file chaoskit adds so that Compose starts a proxied copy of the project.

A link is a per-container DNS alias and wins over the network's own name, so each client gets its
own path to an upstream while the proxy still resolves the real one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import yaml

from chaoskit.docker.labels import (
    CLIENT_LABEL,
    FOLDER_LABEL,
    PROJECT_LABEL,
    PROXIES_LABEL,
    ROLE_LABEL,
    RUN_LABEL,
    UPSTREAMS_LABEL,
)
from chaoskit.errors import UsageError
from chaoskit.fields import HOST, Edge, Target
from chaoskit.stack.edges import PossibleEdge
from chaoskit.stack.project import BRIDGE_NAME, EMPTY, Project, Resource, Service
from chaoskit.stack.proxy import API_PORT, SPARE_PORTS, Proxy
from chaoskit.stack.relay import CONTROL_PORT, RELAY_PORTS, SUFFIX

PREFIX = "chaoskit-"
GATEWAY = f"{PREFIX}host"
OWN_NETWORK = "chaoskit"  # of proxies that share only networks on which nothing can be published
_LEFT_OUT = f"{PREFIX}left-out"  # a profile that nobody switches on
_CONFIG_PATH = "/chaoskit-proxies.json"
_RELAY = "relay_program"  # a package, in the folder of this module and of its container
_RELAY_FOLDER = "/chaoskit"
_GATEWAY_FIRST_PORT = 20001
_SPARE = 2  # for each client, and one more for each of its upstreams


@dataclass(slots=True)
class ProxyContainer:
    """One Toxiproxy container: the proxies of one client, or the host gateway."""

    service: str
    client: str
    role: str
    networks: set[str] = field(default_factory=set)
    proxies: list[Proxy] = field(default_factory=list)
    upstreams: list[str] = field(default_factory=list)

    def add(self, upstream: str, port: int, listen: int, *, relayed: bool) -> None:
        behind = len(self.relayed)
        relay = RELAY_PORTS[behind] if relayed else 0
        self.proxies.append(Proxy(self.service, self.client, upstream, port, listen, relay))

    @property
    def relayed(self) -> list[Proxy]:
        return [proxy for proxy in self.proxies if proxy.relay]

    @property
    def relay_service(self) -> str:
        """The service of the relay behind its proxies, where they have one."""
        return f"{self.service}{SUFFIX}"

    def serves(self, port: int) -> bool:
        return port == API_PORT or any(proxy.listen == port for proxy in self.proxies)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which proxies a run has, and the overlay's text."""

    containers: tuple[ProxyContainer, ...]
    text: str

    @property
    def services(self) -> list[str]:
        return [
            service
            for container in self.containers
            for service in (
                container.service,
                *([container.relay_service] if container.relayed else []),
            )
        ]


def build_layout(
    project: Project,
    *,
    folder: Path,
    edges: Iterable[PossibleEdge],
    targets: Iterable[Target],
    image: str,
    felt: Iterable[str] = (),
    relayed: Collection[Edge] = (),
    relay_image: str = "",
    keep_ports: bool = False,
    user_project: str | None = None,
) -> Layout:
    """Return the layout and overlay for `project`, which was read under the run's project name.

    `folder` is the run's, `edges` are put behind proxies, every `target` becomes reachable from the
    host. Canaries can reach the proxies of upstreams where faults are to be `felt`: each published
    port costs the start a moment. `relayed` edges, each with its port, go through a relay that
    knows HTTP and runs in `relay_image`. `user_project` names images of services that are built
    without an image name.
    """
    clash = [name for name in project.services if name.startswith(PREFIX)]
    relayed = frozenset(relayed)
    if clash:
        raise UsageError(f"the Compose project already has a service `{clash[0]}`")
    if OWN_NETWORK in project.networks:
        raise UsageError(f"the Compose project already has a network `{OWN_NETWORK}`")
    edges, felt = list(edges), frozenset(felt)
    containers = _client_proxies(edges, relayed)
    gateway = _gateway(project, targets, relayed)
    if gateway is not None:
        containers.append(gateway)
    links = _links(project, containers)
    labels = {
        RUN_LABEL: folder.name,
        PROJECT_LABEL: project.name,
        FOLDER_LABEL: str(folder.resolve()),
    }
    services: dict[str, object] = {
        name: _copy_of(service, links.get(name, []), labels, keep_ports, user_project)
        for name, service in project.services.items()
    }
    services |= {name: {"profiles": _Override([_LEFT_OUT])} for name in project.left_out}
    networks: dict[str, object] = {}
    for container in containers:
        body = _proxy_service(container, image, labels, felt)
        services[container.service] = body
        if container.relayed:
            services[container.relay_service] = _relay_service(container, relay_image, labels)
        if not any(project.networks[network].plain for network in container.networks):
            body["networks"] = [*sorted(container.networks), OWN_NETWORK]
            networks[OWN_NETWORK] = {"labels": labels}
    for key, network in project.networks.items():
        if not network.external:
            networks[key] = _network(project, network, labels)
    volumes = {
        key: {"name": f"{project.name}_{key}", "labels": labels}
        for key, volume in project.volumes.items()
        if not volume.external
    }
    document: dict[str, object] = {"services": services, "networks": networks}
    if volumes:
        document["volumes"] = volumes
    configs = {c.service: {"content": _content(c)} for c in containers}
    if any(container.relayed for container in containers):
        configs |= _program()
    if configs:
        document["configs"] = configs
    header = "# Written by chaoskit for one run: proxies, and a copy that disturbs nobody.\n"
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)
    return Layout(tuple(containers), header + text)


def proxy_count(edges: Sequence[PossibleEdge]) -> int:
    """Return how many containers it takes to put these edges behind proxies."""
    return len(_client_proxies(edges))


def _client_proxies(
    edges: Sequence[PossibleEdge], relayed: Collection[Edge] = ()
) -> list[ProxyContainer]:
    """Group edges by client. A link takes over an upstream's whole name, so every port of one
    upstream goes to one container; upstreams that serve the same port need a second one."""
    containers: list[ProxyContainer] = []
    grouped: dict[tuple[str, str], list[PossibleEdge]] = {}
    for edge in edges:
        grouped.setdefault((edge.client, edge.upstream), []).append(edge)
    for (client, upstream), group in sorted(grouped.items()):
        ports = [edge.port for edge in group if edge.port is not None]
        if API_PORT in ports:
            raise UsageError(
                f"`{upstream}` serves port {API_PORT}, which Toxiproxy needs for itself"
            )
        mine = [c for c in containers if c.client == client]
        free = [c for c in mine if not any(c.serves(port) for port in ports)]
        if free:
            container = free[0]
        else:
            suffix = f"-{len(mine) + 1}" if mine else ""
            container = ProxyContainer(f"{PREFIX}{client}{suffix}", client, "proxy")
            containers.append(container)
        container.networks |= set(group[0].networks)
        container.upstreams.append(upstream)
        for port in ports:
            container.add(upstream, port, port, relayed=Edge(client, upstream, port) in relayed)
    return containers


def _gateway(
    project: Project, targets: Iterable[Target], relayed: Collection[Edge]
) -> ProxyContainer | None:
    wanted = sorted({(target.service, target.port) for target in targets})
    if not wanted:
        return None
    gateway = ProxyContainer(GATEWAY, HOST, "gateway")
    for index, (service, port) in enumerate(wanted):
        gateway.networks |= set(project.services[service].networks)
        through = Edge(HOST, service, port) in relayed
        gateway.add(service, port, _GATEWAY_FIRST_PORT + index, relayed=through)
    return gateway


def _links(project: Project, containers: Sequence[ProxyContainer]) -> dict[str, list[str]]:
    links: dict[str, list[str]] = {}
    for container in containers:
        if container.role != "proxy":
            continue
        client = project.services[container.client]
        for upstream in container.upstreams:
            names = list(project.services[upstream].names_on(client.networks))
            names += [link.alias for link in client.links if link.upstream == upstream]
            # Links are case-sensitive, host names are not, and most URL parsers lower them.
            names += [lower for name in names if (lower := name.lower()) not in project.services]
            links.setdefault(client.name, []).extend(
                f"{container.service}:{name}" for name in dict.fromkeys(names)
            )
    return links


def _copy_of(
    service: Service,
    links: list[str],
    labels: Mapping[str, str],
    keep_ports: bool,
    user_project: str | None,
) -> dict[str, object]:
    """Return what the overlay changes about one of the user's services."""
    body: dict[str, object] = {"labels": dict(labels)}
    if service.publishes and not keep_ports:
        body["ports"] = _Reset([])
    if service.container_name:
        body["container_name"] = _Reset()
        body["networks"] = {
            a.network: {"aliases": [*a.aliases, service.container_name]}
            for a in service.attachments
        }
    if empty := [mount for mount in service.mounts if mount.source.startswith(EMPTY)]:
        body["volumes"] = [  # merged by target
            {"type": m.type, "source": m.source, "target": m.target, "read_only": m.read_only}
            for m in empty
        ]
    if service.builds and service.image is None and user_project:
        # The image that `docker compose up` by hand would use: nothing is built twice.
        body["image"] = f"{user_project}-{service.name}"
    if links or service.parted:
        proxied = {link.split(":", 1)[1] for link in links}
        kept = [f"{k.upstream}:{k.alias}" for k in service.links if k.alias not in proxied]
        body["links"] = _Override(links + kept)
        # A link also means "start after": the order must survive its replacement.
        # `depends_on` as read includes what links implied, so it says nothing about what stays.
        order = {
            k.upstream: {"condition": service.depends_on.get(k.upstream, "service_started")}
            for k in service.links
        }
        order |= {link.split(":", 1)[0]: {"condition": "service_started"} for link in links}
        if service.parted:  # merging would bring back what is left out
            known = {name: {"condition": c} for name, c in service.depends_on.items()}
            body["depends_on"] = _Override(known | order)
        elif order:
            body["depends_on"] = order
    return body


def _network(project: Project, network: Resource, labels: Mapping[str, str]) -> dict[str, object]:
    """Return what the overlay changes about a network: addresses and names are the run's own."""
    name = f"{project.name}_{network.key}"
    body: dict[str, object] = {"name": name, "labels": labels}
    if network.bridge:
        body["driver_opts"] = {BRIDGE_NAME: _Reset()}
    if network.key in project.fixed_networks:
        return body
    if network.ipv6:  # engines before 27 have no addresses of their own to give
        # A prefix that nobody registers (RFC 4193): 40 bits are as good as random.
        bits = sha256(name.encode()).hexdigest()[:10]
        subnet = f"fd{bits[:2]}:{bits[2:6]}:{bits[6:]}::/64"
        body["ipam"] = _Override({"config": [{"subnet": subnet}]})
    elif network.subnets:
        body["ipam"] = _Reset()
    return body


def _proxy_service(
    container: ProxyContainer, image: str, labels: Mapping[str, str], felt: frozenset[str]
) -> dict[str, object]:
    gateway = container.role == "gateway"
    ports = [p.listen for p in container.proxies if gateway or p.upstream in felt]
    if spare := sum(upstream in felt for upstream in container.upstreams):
        ports += SPARE_PORTS[: spare + _SPARE]
    if container.relayed:
        ports.append(CONTROL_PORT)
    return {
        "image": image,
        "command": ["-host=0.0.0.0", f"-config={_CONFIG_PATH}"],
        "configs": [{"source": container.service, "target": _CONFIG_PATH}],
        "networks": sorted(container.networks),
        "ports": [f"127.0.0.1::{port}" for port in (API_PORT, *ports)],
        "stop_grace_period": "1s",
        # A dial to a container that has just gone holds up every call on its proxy: bound it.
        "sysctls": {"net.ipv4.tcp_syn_retries": 1},
        "labels": {
            **labels,
            ROLE_LABEL: container.role,
            CLIENT_LABEL: container.client,
            PROXIES_LABEL: _content(container),
            UPSTREAMS_LABEL: json.dumps(container.upstreams),
        },
    }


def _relay_service(
    container: ProxyContainer, image: str, labels: Mapping[str, str]
) -> dict[str, object]:
    upstreams = {p.relay: [p.upstream, p.port] for p in container.relayed}
    return {
        "image": image,
        "pull_policy": "never",
        "working_dir": _RELAY_FOLDER,
        "entrypoint": ["python3", "-m", _RELAY],
        "command": [str(CONTROL_PORT), json.dumps(upstreams)],
        "configs": [
            {"source": name, "target": f"{_RELAY_FOLDER}/{_RELAY}/{file}"}
            for name, file in _program_files().items()
        ],
        "network_mode": f"service:{container.service}",
        "cap_drop": ["ALL"],
        "mem_limit": "512m",
        "stop_signal": "SIGKILL",  # it has nothing to end
        "labels": {**labels, ROLE_LABEL: "relay", CLIENT_LABEL: container.client},
    }


def _program_files() -> dict[str, str]:
    """Return the files of the relay's program, by the names of their configs."""
    found = sorted(one.name for one in files("chaoskit.stack").joinpath(_RELAY).iterdir())
    return {f"{PREFIX}relay-{one[:-3]}": one for one in found if one.endswith(".py")}


def _program() -> dict[str, dict[str, str]]:
    folder = files("chaoskit.stack").joinpath(_RELAY)
    return {
        name: {"content": folder.joinpath(file).read_text("utf-8").replace("$", "$$")}
        for name, file in _program_files().items()
    }


def _content(container: ProxyContainer) -> str:
    return json.dumps([proxy.definition() for proxy in container.proxies])


@dataclass(frozen=True, slots=True)
class _Reset:
    """Compose's `!reset`: take the user's value away."""

    value: object = None


@dataclass(frozen=True, slots=True)
class _Override:
    """Compose's `!override`: replace the user's value instead of merging."""

    value: object


class _Dumper(yaml.SafeDumper):
    """A YAML dumper that knows Compose's two tags and writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump_reset(dumper: yaml.SafeDumper, reset: _Reset) -> yaml.Node:
    if isinstance(reset.value, list):
        return dumper.represent_sequence("!reset", reset.value)
    return dumper.represent_scalar("!reset", "null")


_Dumper.add_representer(_Reset, _dump_reset)


def _dump_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None  # a program, to be read as one
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _dump_text)


def _dump_override(dumper: yaml.SafeDumper, override: _Override) -> yaml.Node:
    node = dumper.represent_data(override.value)
    node.tag = "!override"
    return node


_Dumper.add_representer(_Override, _dump_override)
