"""Which edges a project can have, what points at them, and why some cannot be proxied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaoskit.fields import HOST, Edge
from chaoskit.ports import ports_of_image
from chaoskit.stack.evidence import mentions
from chaoskit.stack.project import Project, Service


@dataclass(frozen=True, slots=True)
class PossibleEdge:
    """One client, one upstream, one TCP port; `port` is None where only its sockets will tell it.

    `evidence` says what points that way, if anything; `obstacle` says why it cannot be put behind a
    proxy, if anything.
    """

    client: str
    upstream: str
    port: int | None
    networks: tuple[str, ...]
    evidence: str | None = None
    obstacle: str | None = None

    @property
    def pair(self) -> tuple[str, str]:
        return self.client, self.upstream

    def __str__(self) -> str:
        return str(Edge(self.client, self.upstream, self.port))


class EdgeMap:
    """Every possible edge of a project.

    `served` adds ports that the Compose file does not tell: what images expose, what the scenario
    declares, what its probes and workloads talk to. `protocols` says how to talk to a port, where a
    client's URL does.
    """

    def __init__(self, project: Project, served: Mapping[str, Iterable[int]]) -> None:
        self._project = project
        self._mentions = {
            (client.name, upstream.name): mentions(client, upstream)
            for client in project.services.values()
            for upstream in project.services.values()
            if client.name != upstream.name
        }
        self.protocols: dict[tuple[str, int], str] = {}
        named: dict[str, set[int]] = {name: set() for name in project.services}
        for (_, upstream), found in self._mentions.items():
            for mention in found:
                if mention.port is not None and not mention.udp:
                    named[upstream].add(mention.port)
                    if mention.protocol is not None:
                        self.protocols.setdefault((upstream, mention.port), mention.protocol)
        self.ports = {
            name: tuple(sorted(_ports(service, named[name], served.get(name, ()))))
            for name, service in project.services.items()
        }
        edges = [
            edge
            for client in project.services.values()
            for upstream in project.services.values()
            for edge in self.between(client.name, upstream.name)
            if edge.port is not None or edge.evidence
        ]
        self.edges = sorted(
            edges, key=lambda e: (e.evidence is None, e.client, e.upstream, e.port or 0)
        )

    def between(self, client: str, upstream: str) -> list[PossibleEdge]:
        """Return the possible edges from one service to another, one without a port where none is
        known; none at all where they share no network."""
        one, other = self._project.services[client], self._project.services[upstream]
        if client == upstream:
            return []
        networks = tuple(n for n in one.networks if n in other.networks)
        obstacle = _obstacle(one, other)
        if not networks and obstacle is None:
            return []
        ports: Sequence[int | None] = self.ports[upstream] or [None]
        return [
            PossibleEdge(
                client, upstream, port, networks, self._evidence(one, other, port), obstacle
            )
            for port in ports
        ]

    def _evidence(self, client: Service, upstream: Service, port: int | None) -> str | None:
        """Return what points from a client to a port of an upstream, or at least to its name."""
        found = self._mentions[client.name, upstream.name]
        if (exact := next((m for m in found if m.port == port is not None), None)) is not None:
            return exact.place
        if upstream.name in client.depends_on:
            return "depends_on"
        if any(link.upstream == upstream.name for link in client.links):
            return "links"
        return found[0].place if found else None

    def named(self, client: str, upstream: str) -> bool:
        """Return whether the client's environment, command or links name the upstream: more than
        an order of starting, which `depends_on` alone may be."""
        links = self._project.services[client].links
        return bool(self._mentions[client, upstream]) or any(k.upstream == upstream for k in links)

    def udp(self, client: str, upstream: str) -> bool:
        """Return whether the client may talk UDP to the upstream, by its URLs or what it serves."""
        served = bool(self._project.services[upstream].udp_ports)
        return served or any(mention.udp for mention in self._mentions[client, upstream])

    def matching(self, edge: Edge) -> list[PossibleEdge]:
        """Return the possible edges that a scenario's edge names."""
        known = self._project.services
        if edge.client not in known or edge.upstream not in known:
            return []
        found = self.between(edge.client, edge.upstream)
        return [possible for possible in found if edge.port in (None, possible.port)]

    def with_ports(self, edge: Edge) -> list[Edge]:
        """Return an edge once for each known port that it names."""
        if edge.client == HOST:
            ports: Sequence[int | None] = self.ports.get(edge.upstream, ())
        else:
            ports = [possible.port for possible in self.matching(edge)]
        return [
            Edge(edge.client, edge.upstream, port)
            for port in ports
            if port is not None and edge.port in (None, port)
        ]

    def joined(self) -> set[tuple[str, str]]:
        """Return every (client, upstream) that can be put behind a proxy."""
        names = self._project.services
        found = {(a, b): self.between(a, b) for a in names for b in names}
        return {pair for pair, edges in found.items() if edges and edges[0].obstacle is None}

    def problem(self, edge: Edge) -> str | None:
        """Return why a fault on this edge is impossible, or None."""
        if edge.client == HOST:
            if not self.ports.get(edge.upstream):
                return f"no TCP port of `{edge.upstream}` is known: declare it under `stack.edges`"
            return None
        found = self.matching(edge)
        if not found:
            client = self._project.services.get(edge.client)
            upstream = self._project.services.get(edge.upstream)
            if client is None or upstream is None:
                return f"there is no edge `{edge}`: no such service"
            if not set(client.networks) & set(upstream.networks):
                return f"`{edge.client}` and `{edge.upstream}` share no network"
            known = ", ".join(map(str, self.ports[edge.upstream])) or "none"
            return (
                f"no TCP port of `{edge.upstream}` is known for the edge `{edge}` (known: {known}):"
                " declare it under `stack.edges`"
            )
        return next((possible.obstacle for possible in found if possible.obstacle), None)


def _obstacle(client: Service, upstream: Service) -> str | None:
    for service, other in ((client, upstream), (upstream, client)):
        mode = service.network_mode or ""
        whose = mode.removeprefix("service:")
        if whose == other.name:
            return f"`{service.name}` and `{whose}` have one network: they need no connection in it"
        if mode.startswith("service:"):
            edge = f"{whose} -> {other.name}" if service is client else f"{other.name} -> {whose}"
            return f"`{service.name}` has the network of `{whose}` (`{mode}`): write `{edge}`"
        if mode:
            return f"`{service.name}` has `network_mode: {mode}`, which cannot be proxied"
    fixed = [a.fixed_ip for a in upstream.attachments if a.fixed_ip]
    words = [*client.environment.values(), *client.words]
    for address in fixed:
        if any(address in word for word in words):
            return f"`{client.name}` reaches `{upstream.name}` by its fixed IP {address}"
    return None


def _ports(service: Service, named: Iterable[int], served: Iterable[int]) -> set[int]:
    """Return the TCP ports a service is known to serve. The usual port of a well-known image is
    only a guess: it yields to ports that its clients name."""
    known = {*service.ports, *named, *served}
    return known if set(named) else {*known, *ports_of_image(service.image)}
