"""One proxy of a run: as it is planned, as Toxiproxy is told of it, as its container shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chaoskit.docker.containers import Container
from chaoskit.docker.labels import CLIENT_LABEL, PROXIES_LABEL
from chaoskit.fields import HOST, Edge
from chaoskit.records import Json

API_PORT = 8474  # Toxiproxy's own
SPARE_PORTS = range(29001, 29101)  # published for canaries to ports that only sockets tell


@dataclass(frozen=True, slots=True)
class Proxy:
    """What `client` reaches `upstream:port` through: `listen` in `container`, a service name.

    With a `relay`, a port on its loopback, what it accepts goes to the upstream through that.
    """

    container: str
    client: str
    upstream: str
    port: int
    listen: int
    relay: int = 0

    @property
    def name(self) -> str:
        """Its name in its container's Toxiproxy."""
        return f"{self.upstream}_{self.port}"

    @property
    def edge(self) -> Edge:
        return Edge(self.client, self.upstream, self.port)

    def definition(self) -> dict[str, Json]:
        """Return it as Toxiproxy's config file wants it; `[::]` survives a re-run of populate."""
        return {
            "name": self.name,
            "listen": f"[::]:{self.listen}",
            "upstream": f"127.0.0.1:{self.relay}" if self.relay else f"{self.upstream}:{self.port}",
            "enabled": True,
        }


def proxies_of(container: Container) -> list[Proxy]:
    """Return the proxies of a container, from the definitions in its labels."""
    client = container.labels.get(CLIENT_LABEL, HOST)
    found = []
    for row in json.loads(container.labels.get(PROXIES_LABEL, "[]")):
        upstream, _, port = str(row["name"]).rpartition("_")
        host, _, relay = str(row["upstream"]).rpartition(":")
        listen = int(str(row["listen"]).rpartition(":")[2])
        found.append(
            Proxy(
                container.state.service,
                client,
                upstream,
                int(port),
                listen,
                int(relay) if host == "127.0.0.1" else 0,
            )
        )
    return found
