"""Which edges a project can have, what points at them, and why some cannot be proxied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaoskit.fields import HOST, Edge
from chaoskit.ports import ports_of_image
from chaoskit.stack.project import Project, Service

_HOST_KEY = re.compile(r"HOST|SERVER|ADDR|URL|URI|ENDPOINT|BROKER|UPSTREAM|SERVICE", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PossibleEdge:
    """One client, one upstream, one TCP port. `evidence` says what points that way, if anything;
    `obstacle` says why it cannot be put behind a proxy, if anything."""

    client: str
    upstream: str
    port: int
    networks: tuple[str, ...]
    evidence: str | None = None
    obstacle: str | None = None


class EdgeMap:
    """Every possible edge of a project.

    `served` adds ports that the Compose file does not tell: what images expose, what the scenario
    declares, what its probes and workloads talk to.
    """

    def __init__(self, project: Project, served: Mapping[str, Iterable[int]]) -> None:
        self._project = project
        self.ports = {
            name: tuple(
                sorted({*service.ports, *ports_of_image(service.image), *served.get(name, ())})
            )
            for name, service in project.services.items()
        }
        edges = [
            edge
            for client in project.services.values()
            for upstream in project.services.values()
            for edge in self._between(client, upstream)
        ]
        self.edges = sorted(edges, key=lambda e: (e.evidence is None, e.client, e.upstream, e.port))

    def _between(self, client: Service, upstream: Service) -> list[PossibleEdge]:
        if client.name == upstream.name:
            return []
        networks = tuple(n for n in client.networks if n in upstream.networks)
        obstacle = _obstacle(client, upstream)
        if not networks and obstacle is None:
            return []
        evidence = _evidence(client, upstream)
        return [
            PossibleEdge(client.name, upstream.name, port, networks, evidence, obstacle)
            for port in self.ports[upstream.name]
        ]

    def matching(self, edge: Edge) -> list[PossibleEdge]:
        """Return the possible edges that a scenario's edge names."""
        return [
            possible
            for possible in self.edges
            if possible.client == edge.client
            and possible.upstream == edge.upstream
            and edge.port in (None, possible.port)
        ]

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
    for service in (client, upstream):
        mode = service.network_mode
        if mode:
            return f"`{service.name}` has `network_mode: {mode}`, which cannot be proxied"
    fixed = [a.fixed_ip for a in upstream.attachments if a.fixed_ip]
    words = [*client.environment.values(), *client.words]
    for address in fixed:
        if any(address in word for word in words):
            return f"`{client.name}` reaches `{upstream.name}` by its fixed IP {address}"
    return None


def _evidence(client: Service, upstream: Service) -> str | None:
    """Return the first thing in the project that points from client to upstream."""
    if upstream.name in client.depends_on:
        return "depends_on"
    if any(link.upstream == upstream.name for link in client.links):
        return "links"
    names = upstream.names_on(client.networks)
    pattern = "|".join(re.escape(name) for name in names)
    # A host stands alone or behind `//` or `@`: not in a path, not as a user or password.
    mention = re.compile(
        rf"(?:(?<=//)|(?<=@)|(?<![\w./-]))(?:{pattern})(?![\w-])(?!\.\w)(?![^\s/,]*@)"
    )
    for key, value in client.environment.items():
        # A value that is nothing but the name may be a user or a database of that name.
        if mention.search(value) and (value not in names or _HOST_KEY.search(key)):
            return f"environment {key}"
    if any(mention.search(word) for word in client.words):
        return "command"
    return None
