"""Serving every port that a proxied upstream really listens on, whoever wrote it down.

A link takes over the whole name of an upstream: a port that its proxy does not serve would be
refused, though the upstream listens on it. So its sockets are read, while it comes up and
afterwards, and what is missing is served.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable

from chaoskit.docker.containers import Container
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Noted, Progressed, RunUnproven
from chaoskit.record.writer import Recorder
from chaoskit.run.watches import watched
from chaoskit.stack.connections import TABLES, Sockets, parse_tables, sockets_of
from chaoskit.stack.edge_traffic import Meters, not_clients, strays
from chaoskit.stack.proxy import API_PORT, SPARE_PORTS
from chaoskit.stack.relay import CONTROL_PORT, RELAY_PORTS
from chaoskit.stack.stack import Stack
from chaoskit.tasks import end

_COMING_UP, _EVERY = 0.25, 1.0  # seconds between looks
Pair = tuple[str, str]


class PortWatch:
    """Looks at the sockets of proxied upstreams now and then, and makes proxies for new ports."""

    def __init__(
        self, stack: Stack, recorder: Recorder, cut_now: Callable[[], Collection[Pair]]
    ) -> None:
        """`cut_now` returns the (client, upstream) pairs on which a fault is in force."""
        self._stack = stack
        self._recorder = recorder
        self._cut_now = cut_now
        self._unservable: dict[tuple[str, int], str] = {}  # by container and port, with the reason
        self._read_once: dict[str, Sockets] = {}  # what only a helper can read, by container id
        self._unreadable: set[str] = set()
        self._up = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look until stopped, often until `settled`."""
        work = watched("which ports are listened on", self._watch(), self._recorder)
        self._task = asyncio.create_task(work)

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY if self._up else _COMING_UP)

    async def look(self) -> None:
        """Serve what is listened on and not served yet."""
        with contextlib.suppress(ChaoskitError):  # containers come and go; the next look sees them
            await self._look()

    async def _look(self) -> None:
        taken = self._stack.names_taken_over()
        upstreams = sorted({upstream for _, upstream in taken})
        listening = {name: await self._listening(name) for name in upstreams}
        wanted: dict[tuple[str, int], list[Pair]] = {}
        for pair, container in taken.items():
            for port in listening[pair[1]]:
                wanted.setdefault((container, port), []).append(pair)
        for (container, port), pairs in sorted(wanted.items()):
            served = [
                p for p in self._stack.proxies if (p.container, p.listen) == (container, port)
            ]
            missing = [pair for pair in pairs if all(p.upstream != pair[1] for p in served)]
            if missing:
                await self._add(container, port, missing, shared=len(pairs) > 1 or bool(served))

    async def _add(self, container: str, port: int, pairs: list[Pair], *, shared: bool) -> None:
        (client, upstream), *_ = pairs
        if shared:
            names = " and ".join(f"`{name}`" for _, name in pairs)
            reason = (
                f"`{client}` reaches {names} through one proxy, which can serve port {port} for one"
                f" of its upstreams only: declare `{{edge: {client} -> {upstream}, port: {port}}}`"
                " under `stack.edges`"
            )
            self._unservable.setdefault((container, port), reason)
            return
        if port in (API_PORT, CONTROL_PORT) or port in SPARE_PORTS or port in RELAY_PORTS:
            reason = f"`{upstream}` listens on {port}, which its proxies need for themselves"
            self._unservable.setdefault((container, port), reason)
            return
        await self._stack.serve(container, client, upstream, port)
        self._recorder.emit(Progressed(f"serving {upstream}:{port} for {client} as well"))
        if (client, upstream) in self._cut_now():
            text = (
                f"`{upstream}` began to listen on {port} while a fault on {client} -> {upstream}"
                " was in force, which did not touch it"
            )
            self._recorder.emit(RunUnproven(text))

    async def _listening(self, service: str) -> frozenset[int]:
        """Return the TCP ports that the replicas of a service listen on."""
        found: frozenset[int] = frozenset()
        self._unreadable.discard(service)
        for container in await self._stack.containers.of(self._stack.project, service):
            sockets = await sockets_of(self._stack.exec, container)
            if sockets is None:
                sockets = self._read_once.get(container.id)
            if sockets is None:
                self._unreadable.add(service)
            else:
                found |= sockets.listening
        return found

    async def settled(self, plan: Plan) -> None:
        """Look once more, now that the steady state is met, and check that every edge whose port
        nothing told has one. Raises `FaultFailed` where a fault needs one that has none."""
        await self.look()
        for service in sorted(self._unreadable):
            for container in await self._stack.containers.of(self._stack.project, service):
                with contextlib.suppress(ChaoskitError):
                    await self._read_by_helper(container)
        await self.look()
        self._up = True
        for service in sorted(self._unreadable):
            text = (
                f"the sockets of `{service}` cannot be read: only ports that are known are served"
            )
            self._recorder.emit(Noted(text))
        faulted = {(e.client, e.upstream) for fault in plan.faults for e in fault.edges()}
        for edge in plan.proxied:
            if edge.port is not None or any(
                (p.client, p.upstream) == edge.pair for p in self._stack.proxies
            ):
                continue
            if edge.upstream in self._unreadable:
                why = "its sockets cannot be read"
            elif edge.pair in faulted or plan.edges.named(*edge.pair):
                why = "it listens on none"
            else:
                text = f"`{edge.upstream}` listens on no TCP port: there is no edge `{edge}`"
                self._recorder.emit(Noted(text))
                continue
            raise FaultFailed(
                f"no TCP port of `{edge.upstream}` is known for `{edge}`, and {why}, so nothing was"
                " injected: declare it under `stack.edges`"
            )

    async def _read_by_helper(self, container: Container) -> None:
        """Read the sockets of a container without `cat` on an engine that is elsewhere."""
        argv = ["cat", *(f"/proc/{table}" for table in TABLES)]
        helpers = self._stack.helpers
        done = await helpers.run(self._stack.project, argv, network_of=container.id)
        if (sockets := parse_tables(done.text)) is not None:
            self._read_once[container.id] = sockets

    async def report(self, meters: Meters) -> None:
        """Record what clients sent where no proxy could take it: the app did not fail by itself."""
        taken = self._stack.names_taken_over()
        for container in sorted(set(taken.values())):
            pairs = [pair for pair, name in taken.items() if name == container]
            unservable = {
                p: why for (name, p), why in self._unservable.items() if name == container
            }
            if not meters.has(container):
                self._say(unservable.values())
                continue
            proxies = [p for p in self._stack.proxies if p.container == container]
            others = not_clients(proxies[0], self._stack.proxy_container(container))
            ports = {p.listen for p in proxies} - set(unservable)
            lost = strays(await meters.lines(container), others, ports)
            self._say(unservable[port] for port in sorted(lost.attempts & set(unservable)))
            if lost.datagrams:
                client, names = pairs[0][0], " or ".join(f"`{upstream}`" for _, upstream in pairs)
                numbers = ", ".join(map(str, sorted(lost.datagrams)))
                self._say(
                    [f"`{client}` sent UDP to {names} (port {numbers}), which no proxy passes"]
                )

    def _say(self, reasons: Iterable[str]) -> None:
        for reason in reasons:
            self._recorder.emit(RunUnproven(reason))
