"""The running stack: what faults act on and what probes reach.

Everything is read back from the engine by the run's labels, so another process can attach to a
run's stack from its project name alone and heal it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from chaoskit.docker.client import Engine
from chaoskit.docker.containers import Container
from chaoskit.docker.exec import ExecResult
from chaoskit.docker.labels import CLIENT_LABEL, ROLE_LABEL, UPSTREAMS_LABEL
from chaoskit.errors import EnvironmentFailure, FaultFailed
from chaoskit.exchange import BRIEFLY, Ask, Exchange
from chaoskit.fields import HOST, Edge, Target
from chaoskit.records import ContainerState, Json
from chaoskit.stack.canary import exchange, protocol_of
from chaoskit.stack.claims import Claims
from chaoskit.stack.proxy import API_PORT, SPARE_PORTS, Proxy, proxies_of
from chaoskit.stack.relay import CONTROL_PORT, RelayControl, RelayUnreachable
from chaoskit.stack.ticker import Ticker
from chaoskit.stack.toxiproxy import (
    ProxyState,
    Toxic,
    Toxiproxy,
    ToxiproxyRefused,
    ToxiproxyUnreachable,
    ToxiproxyWedged,
)
from chaoskit.tasks import together

LOCAL = "127.0.0.1"
# Toxiproxy stops a proxy only after its dial to an upstream that has just gone: the kernel gives up
# on the dead address after three seconds, and every call on that proxy waits for it.
_RECREATE_TRIES = 4
_COMMANDS = 8  # of probes at once: each holds one of the threads that faults and heals need, too
T = TypeVar("T")


class Stack:
    """One run's copy of the stack: its containers, its proxies, its routes from the host."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        protocols: Mapping[tuple[str, int], str] | None = None,
        seed: int = 0,
    ) -> None:
        self.engine = engine  # for the run; faults ask for the part that they need
        self.containers = engine.containers
        self.networks = engine.networks
        self.volumes = engine.volumes
        self.exec = engine.exec
        self.limits = engine.limits
        self.recreate = engine.recreate
        self.helpers = engine.helpers
        self.machine = engine.machine
        self.events = engine.events
        self.seed = seed  # for faults that choose: a replica, a moment
        self.project = project
        self.proxies: tuple[Proxy, ...] = ()
        self._protocols = protocols or {}
        self._proxy_containers: dict[str, Container] = {}  # proxy containers, by service name
        self._apis: dict[tuple[str, int], Toxiproxy] = {}  # by service name and published port
        self._late: dict[tuple[str, str], Proxy] = {}  # proxies that were made at run time
        self._spare: dict[tuple[str, str], int] = {}  # the published port for their canaries
        self._toxics: dict[tuple[str, str], dict[str, Toxic]] = {}
        self._commands = asyncio.Semaphore(_COMMANDS)
        self.claims = Claims()
        self.tickers: dict[str, Ticker] = {}  # of faults that go on acting while in force, by name

    async def attach(self) -> None:
        """Read the proxy containers and their published ports from the engine."""
        containers = await self.containers.of(self.project)
        before = {name: c.state.started_at for name, c in self._proxy_containers.items()}
        self._proxy_containers = {
            c.state.service: c for c in containers if c.labels.get(ROLE_LABEL) is not None
        }
        now = {name: c.state.started_at for name, c in self._proxy_containers.items()}
        for key in [key for key in self._late if before.get(key[0]) != now.get(key[0])]:
            del self._late[key]  # a server that starts again has only what its file says
        planned = [p for c in self._proxy_containers.values() for p in proxies_of(c)]
        self.proxies = (*planned, *self._late.values())
        # Only clients of servers that moved: others may be in the middle of a call.
        served = {(name, c.published.get(API_PORT)) for name, c in self._proxy_containers.items()}
        stale = [self._apis.pop(key) for key in list(self._apis) if key not in served]
        for api in stale:
            await api.close()

    async def close(self) -> None:
        for ticker in self.tickers.values():
            await ticker.cancel()
        for api in self._apis.values():
            await api.close()

    # -- containers ------------------------------------------------------------------------------

    async def replicas(self, service: str, replica: int | None = None) -> list[Container]:
        """Return the replicas of a service as they are now. Raises `FaultFailed` when none is."""
        found = await self.containers.of(self.project, service)
        if replica is not None:
            found = [c for c in found if c.state.replica == replica]
        if not found:
            which = service if replica is None else f"{service}[{replica}]"
            raise FaultFailed(f"`{which}` has no container")
        return found

    async def container_states(self, service: str) -> list[ContainerState]:
        return [c.state for c in await self.containers.of(self.project, service)]

    async def execute(
        self, container_id: str, argv: Sequence[str], within: float, most: int
    ) -> ExecResult:
        async with self._commands:
            return await self.exec.run(container_id, argv, within=within, most=most)

    # -- routes ----------------------------------------------------------------------------------

    def address(self, target: Target) -> tuple[str, int]:
        for proxy in self.proxies:
            if (proxy.client, proxy.upstream, proxy.port) == (HOST, target.service, target.port):
                return LOCAL, self._published(proxy)
        raise EnvironmentFailure(f"no route from the host to `{target.service}:{target.port}`")

    def _published(self, proxy: Proxy) -> int:
        container = self._proxy_containers.get(proxy.container)
        if container is None:
            raise EnvironmentFailure(f"`{proxy.container}` is not running")
        port = container.published.get(self._spare.get(_key(proxy), proxy.listen))
        if port is None:
            raise EnvironmentFailure(f"`{proxy.container}` does not publish {proxy.listen}")
        return port

    async def exchange(
        self,
        proxy: Proxy,
        deadline: float = 1.0,
        ask: Ask = BRIEFLY,
    ) -> Exchange:
        """Do a canary exchange through the listener that the proxy's client uses."""
        protocol = self._protocol(proxy)
        return await exchange(
            LOCAL, self._published(proxy), protocol, deadline, ask, proxy.upstream
        )

    def _protocol(self, proxy: Proxy) -> str:
        """Return how to talk to a proxy's upstream. A port that only its sockets told speaks what
        the others of the same service speak, where they agree."""

        def known(one: Proxy) -> str:
            return protocol_of(one.port, self._protocols.get((one.upstream, one.port)))

        if _key(proxy) in self._late and known(proxy) == "tcp":
            others = {known(one) for one in self.proxies_to(proxy.upstream)} - {"tcp"}
            return others.pop() if len(others) == 1 else "tcp"
        return known(proxy)

    # -- relays -----------------------------------------------------------------------------------

    def relay(self, container: str) -> RelayControl:
        """Return the relay behind the proxies of a container. Raises `RelayUnreachable`."""
        found = self._proxy_containers.get(container)
        port = None if found is None else found.published.get(CONTROL_PORT)
        if port is None:
            raise RelayUnreachable(f"`{container}` has no relay")
        return RelayControl(LOCAL, port)

    # -- proxies ---------------------------------------------------------------------------------

    def proxy_container(self, name: str) -> Container:
        """Return the container of proxies that is called so. Raises `FaultFailed`."""
        try:
            return self._proxy_containers[name]
        except KeyError:
            raise FaultFailed(f"`{name}` has no container") from None

    def proxies_of(self, edge: Edge) -> list[Proxy]:
        """Return the proxies of an edge, one per port. Raises `FaultFailed` when there is none."""
        found = [
            proxy
            for proxy in self.proxies
            if (proxy.client, proxy.upstream) == (edge.client, edge.upstream)
            and edge.port in (None, proxy.port)
        ]
        if not found:
            raise FaultFailed(f"the edge `{edge}` has no proxy in this run")
        return found

    def names_taken_over(self) -> dict[tuple[str, str], str]:
        """Return which proxy container stands behind the name of an upstream, by client and
        upstream: all of its ports must be served there."""
        return {
            (container.labels.get(CLIENT_LABEL, HOST), upstream): name
            for name, container in self._proxy_containers.items()
            for upstream in json.loads(container.labels.get(UPSTREAMS_LABEL, "[]"))
        }

    async def serve(self, container: str, client: str, upstream: str, port: int) -> Proxy:
        """Make a proxy in a running container for one more port of an upstream.

        It listens on that very port. A second proxy, without any toxic, leads to it from one of
        the published spare ports: that is the canaries' way, where one is left.
        """
        proxy = Proxy(container, client, upstream, port, port)
        await self._create(proxy, proxy.definition())
        taken = {self._spare[key] for key in self._spare if key[0] == container}
        free = [p for p in SPARE_PORTS if p in self._proxy_containers[container].published]
        spare = self._spare.get(_key(proxy)) or next((p for p in free if p not in taken), None)
        if spare is not None:
            name, listen, upstream = f"canary-to-{proxy.name}", f"[::]:{spare}", f"{LOCAL}:{port}"
            await self._create(
                proxy, {"name": name, "listen": listen, "upstream": upstream, "enabled": True}
            )
            self._spare[_key(proxy)] = spare
        self._late[_key(proxy)] = proxy
        if proxy not in self.proxies:
            self.proxies += (proxy,)
        return proxy

    async def _create(self, proxy: Proxy, definition: Mapping[str, Json]) -> None:
        try:
            await self._on(proxy, lambda api: api.create(definition))
        except ToxiproxyRefused as error:
            if error.status != 409:  # it is there already
                raise

    async def find_late_proxies(self) -> None:
        """Learn from the servers of the proxies that another process made at run time."""
        for (client, upstream), container in self.names_taken_over().items():
            for name, state in (await self.api_states(container)).items():
                port = int(state.upstream.rpartition(":")[2])
                proxy = Proxy(container, client, upstream, port, port)
                if name == proxy.name and proxy not in self.proxies:
                    self._late[_key(proxy)] = proxy
                    self.proxies += (proxy,)

    def proxies_to(self, service: str) -> list[Proxy]:
        return [proxy for proxy in self.proxies if proxy.upstream == service]

    def find(self, container: str, name: str) -> Proxy | None:
        return next((p for p in self.proxies if (p.container, p.name) == (container, name)), None)

    async def state_of(self, proxy: Proxy) -> ProxyState:
        return await self._on(proxy, lambda api: api.proxy(proxy.name))

    async def api_states(self, container: str) -> dict[str, ProxyState]:
        """Return what one proxy container serves now: readiness is checked against the plan."""
        return await self._api(container).proxies()

    async def add_toxic(self, proxy: Proxy, toxic: Toxic) -> None:
        """Add a toxic and compare what the server made of it. Raises `FaultFailed`."""
        made = await self._on(proxy, lambda api: api.add_toxic(proxy.name, toxic))
        if made != toxic:
            raise FaultFailed(f"toxiproxy made {made} of {toxic} on `{proxy.name}`")
        self._toxics.setdefault(_key(proxy), {})[toxic.name] = toxic

    async def remove_toxics(self, proxy: Proxy, names: Iterable[str]) -> None:
        """Remove toxics by name; a wedged proxy is made again with the toxics of other faults."""
        mine = self._toxics.setdefault(_key(proxy), {})
        try:
            for name in names:
                await self._on(proxy, lambda api, name=name: api.remove_toxic(proxy.name, name))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                mine.pop(name, None)
        except ToxiproxyWedged:
            for name in names:
                mine.pop(name, None)
            await self._recreate(proxy, enabled=not self.claims.others(_listener(proxy)))

    async def close_proxies(self, proxies: Sequence[Proxy], holder: str) -> None:
        """Refuse connections on proxies until every holder has opened them again."""
        for proxy in proxies:
            self.claims.hold(_listener(proxy), holder)
        await together(*(self._set_enabled(proxy, False) for proxy in proxies))

    async def open_proxies(self, proxies: Sequence[Proxy], holder: str) -> None:
        """Give up one holder's claim; a proxy opens when nobody else holds it closed."""
        for proxy in proxies:
            self.claims.give_up(_listener(proxy), holder)
        free = [proxy for proxy in proxies if not self.claims.others(_listener(proxy))]
        await together(*(self._set_enabled(proxy, True) for proxy in free))

    def closed_by_others(self, proxy: Proxy, holder: str) -> bool:
        """Return whether a holder other than `holder` still wants this proxy closed."""
        return bool(self.claims.others(_listener(proxy), holder))

    async def _set_enabled(self, proxy: Proxy, enabled: bool) -> None:
        try:
            state = await self._on(proxy, lambda api: api.set_enabled(proxy.name, enabled))
        except ToxiproxyWedged:
            state = await self._recreate(proxy, enabled=enabled)
        except ToxiproxyRefused as error:
            if error.status != 404:
                raise
            # A delete that timed out was carried out later.
            state = await self._recreate(proxy, enabled=enabled)
        if state.enabled != enabled:
            raise FaultFailed(f"`{proxy.name}` of `{proxy.container}` did not change")

    async def _recreate(self, proxy: Proxy, *, enabled: bool) -> ProxyState:
        """Delete a wedged proxy and make it again with the toxics of the faults still in force;
        it opens only when they are all there."""
        definition = {**proxy.definition(), "enabled": False}
        for left in reversed(range(_RECREATE_TRIES)):
            try:
                state = await self._on(proxy, lambda api: api.recreate(definition))
                break
            except ToxiproxyWedged:
                if not left:
                    raise
        for toxic in self._toxics.get(_key(proxy), {}).values():
            await self.add_toxic(proxy, toxic)
        if enabled:
            state = await self._on(proxy, lambda api: api.set_enabled(proxy.name, True))
        return state

    def _api(self, container: str) -> Toxiproxy:
        found = self._proxy_containers.get(container)
        port = None if found is None else found.published.get(API_PORT)
        if port is None:
            raise ToxiproxyUnreachable(f"`{container}` is not running")
        if (container, port) not in self._apis:
            self._apis[container, port] = Toxiproxy(f"http://{LOCAL}:{port}")
        return self._apis[container, port]

    async def _on(self, proxy: Proxy, action: Callable[[Toxiproxy], Awaitable[T]]) -> T:
        """Do something on a proxy's server; a restarted container has new ports: look again."""
        try:
            return await action(self._api(proxy.container))
        except ToxiproxyUnreachable:
            await self.attach()
            return await action(self._api(proxy.container))


def _key(proxy: Proxy) -> tuple[str, str]:
    return proxy.container, proxy.name


def _listener(proxy: Proxy) -> tuple[str, str, str]:
    return "listener", proxy.container, proxy.name
