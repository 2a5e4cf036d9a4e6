"""A stack in memory: containers of an engine that is not there, proxies on fake Toxiproxies.

The `Stack` over it is the real one, and so is its HTTP.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import Signals
from typing import Any, Literal, cast

from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.cleanup import made_by
from chaoskit.docker.client import Engine
from chaoskit.docker.containers import Container
from chaoskit.docker.events import EngineEvent
from chaoskit.docker.helper import OWN_HELPER, HelperOutput, helper_labels
from chaoskit.docker.labels import (
    CLIENT_LABEL,
    COMPOSE_PROJECT_LABEL,
    FOLDER_LABEL,
    PROXIES_LABEL,
    ROLE_LABEL,
    RUN_LABEL,
    UPSTREAMS_LABEL,
)
from chaoskit.docker.logs import LogStream
from chaoskit.docker.machine import MachineInfo
from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import HOST
from chaoskit.records import ContainerState
from chaoskit.stack.overlay import GATEWAY, PREFIX
from chaoskit.stack.proxy import API_PORT, SPARE_PORTS, Proxy, proxies_of
from chaoskit.stack.relay import CONTROL_PORT, RELAY_PORTS, SUFFIX
from chaoskit.stack.stack import Stack
from tests.fakes.fake_names import FakeNames
from tests.fakes.fake_networks import FakeNetfilter, FakeNetworks
from tests.fakes.fake_relay import FakeRelay
from tests.fakes.fake_services import (
    UNLIMITED,
    FakeHistory,
    FakeLimits,
    FakeMounts,
    FakeRecreation,
    FakeVolumes,
    made,
)
from tests.fakes.fake_stores import FakeExec
from tests.fakes.fake_toxiproxy import Blown, FakeToxiproxy, Fuse

PROJECT = "run-1"
_NO_PROCESS = 2**22 + 1  # above every process id: what looks for it on this host finds nothing
Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


def container(
    service: str, replica: int = 1, *, status: Status = "running", **fields: Any
) -> Container:
    """Return a container as `inspect` would show it."""
    name = f"{PROJECT}-{service}-{replica}"
    state = ContainerState(
        service=service,
        replica=replica,
        container_id=f"id-{name}",
        name=name,
        status=status,
        health=None,
        exit_code=0,
        restart_count=0,
        started_at="2026-01-01T00:00:00.000000001Z",
    )
    values: dict[str, Any] = {
        "labels": {COMPOSE_PROJECT_LABEL: PROJECT},
        "addresses": ("10.0.0.2",),
        "published": {},
        "image": "image",
        "image_id": "sha256:0",
        "pid": 0,
        "stop_grace": 10.0,
        "restarts": False,
    }
    return Container(state=state, **{**values, **fields})


def ended(service: str, code: int, *, status: Status = "exited", **fields: Any) -> Container:
    """Return a container that has ended with this exit code."""
    one = container(service, status=status, **fields)
    return replace(one, state=replace(one.state, exit_code=code))


class FakeEngine:
    """The calls of `Engine` that faults and the stack make, on containers in memory."""

    def __init__(self, fuse: Fuse) -> None:
        self.all: dict[str, Container] = {}
        self._fuse = fuse
        self.starts = 0
        self.netfilter = FakeNetfilter(fuse)
        self.names = FakeNames(self.netfilter)
        self.networks = FakeNetworks(fuse)
        self.limits = FakeLimits(self, fuse)
        self.recreate = FakeRecreation(self, fuse)
        self.volumes = FakeVolumes(self)
        self.mounts = FakeMounts(self, fuse)
        self.history = FakeHistory()
        self.exec = FakeExec(self, fuse)
        self.containers = FakeContainers(self, fuse)
        self.logs = FakeLogs()
        self.printed: dict[str, list[str]] = {}  # lines, by the name of a service
        self.images = FakeImages()
        self.machine = FakeMachine(self)
        self.events = FakeEvents(self)
        self.helpers = FakeHelpers(self, fuse)
        self.cleanup = FakeCleanup(self)

    async def back(self, within: float) -> None:
        """It is never away."""

    def belongs_to(self, folder: Path) -> None:
        """Label everything as what the run with this folder made."""
        mine = {RUN_LABEL: folder.name, FOLDER_LABEL: str(folder)}
        self.all = {id: replace(c, labels={**c.labels, **mine}) for id, c in self.all.items()}

    def add(self, one: Container) -> None:
        self.all[one.id] = one

    def of(self, service: str) -> list[Container]:
        return [one for one in self.all.values() if one.state.service == service]

    def crash(self, container_id: str) -> None:
        """The main process dies; a restart policy acts at once."""
        one = self.all[container_id]
        if one.restarts:
            self.starts += 1
            at = f"2026-01-01T00:00:{self.starts:02}.000000001Z"
            count = one.state.restart_count + 1
            state = replace(one.state, started_at=at, restart_count=count)
        else:
            state = replace(one.state, status="exited", exit_code=137)
        self.all[container_id] = replace(one, state=state)


class FakeCleanup:
    """Looks at and takes away all that there is in memory."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def foreign(self, project: str, folder: Path) -> list[str]:
        every = self._engine.all.values()
        return [f"container {c.name}" for c in every if not made_by(c.labels, project, folder)]

    async def label_values(self, label: str, among: str | None = None) -> list[str]:
        del among
        return sorted({c.labels[label] for c in self._engine.all.values() if label in c.labels})

    async def project(self, project: str) -> list[str]:
        assert project == PROJECT
        self._engine.all.clear()
        return []


class FakeImages:
    """Has every image but some."""

    def __init__(self) -> None:
        self.missing: set[str] = set()

    async def has(self, image: str) -> bool:
        return image not in self.missing


class FakeLogs:
    """Containers that printed nothing."""

    async def open(self, container_id: str, *, since: float, follow: bool) -> LogStream:
        del container_id, since, follow
        return LogStream(io.StringIO(), iter(()), None)


class FakeContainers:
    """What is done to single containers, in memory."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self._engine = engine
        self._fuse = fuse

    async def of(self, project: str, service: str | None = None) -> list[Container]:
        assert project == PROJECT
        found = [c for c in self._engine.all.values() if service in (None, c.state.service)]
        return sorted(found, key=lambda c: (c.state.service, c.state.replica))

    async def inspect(self, container_id: str) -> Container:
        for one in self._engine.all.values():
            if container_id in (one.id, one.name):
                return one
        raise NoSuchContainer(f"inspect: no such container {container_id}")

    async def logs(self, container_id: str, tail: int | None = None, since: int = 0) -> list[str]:
        state = (await self.inspect(container_id)).state
        lines = self._engine.printed.get(state.service, ())
        stamped = [f"2026-01-01T00:00:00Z {line}" for line in lines]
        return stamped or self._engine.names.printed(state.name)

    async def start(self, container_id: str) -> None:
        self._engine.starts += 1
        at = f"2026-01-01T00:00:{self._engine.starts:02}.000000001Z"
        await self._to(container_id, ("exited", "created", "dead"), "running", started_at=at)

    async def stop(self, container_id: str, grace: float | None = None) -> None:
        await self._to(container_id, ("running", "paused"), "exited", exit_code=143)

    async def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        if signal == "SIGKILL":
            await self._to(container_id, ("running", "paused"), "exited", exit_code=137)
            return
        state = (await self.inspect(container_id)).state
        made(self._fuse, lambda: self._engine.history.add(state, "kill", Signals[signal].value))

    async def pause(self, container_id: str) -> None:
        if (await self.inspect(container_id)).state.status != "running":
            raise EnvironmentFailure("pause: not running")
        await self._to(container_id, ("running",), "paused")

    async def unpause(self, container_id: str) -> None:
        if (await self.inspect(container_id)).state.status != "paused":
            raise EnvironmentFailure("unpause: not paused")
        await self._to(container_id, ("paused",), "running")

    async def _to(
        self, container_id: str, sources: tuple[Status, ...], status: Status, **more: Any
    ) -> None:
        one = await self.inspect(container_id)

        def apply() -> None:
            if one.state.status in sources:
                if status == "exited":
                    self._engine.netfilter.forget(container_id)
                state = replace(one.state, status=status, **more)
                self._engine.all[container_id] = replace(one, state=state)

        try:
            self._fuse.change(apply)
        except Blown:
            raise EnvironmentFailure("the engine gave no answer") from None


class FakeMachine:
    """The machine of the engine, with the clock of its history."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def info(self) -> MachineInfo:
        return self._engine.history.host()


class FakeEvents:
    """What the fakes noted of signals."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def since(self, project: str, since: float, service: str) -> list[EngineEvent]:
        return self._engine.history.since(since, service)


class FakeHelpers:
    """Plays what helper containers do. None stands by: everything must work without."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self._engine = engine
        self._fuse = fuse

    async def image(self) -> str:
        return OWN_HELPER

    async def stand_by(self, project: str, key: tuple[str, ...], **_: Any) -> None:
        raise EnvironmentFailure("none")

    async def run_standing_by(
        self, key: tuple[str, ...], argv: Sequence[str], within: float = 10.0
    ) -> None:
        return None

    async def start(self, project: str, argv: Sequence[str], **more: Any) -> None:
        await self._engine.recreate.start_new(
            await self.image(), argv, labels=helper_labels(project), **more
        )

    async def run(
        self,
        project: str,
        argv: Sequence[str],
        *,
        network_of: str | None = None,
        volumes: Mapping[str, str] | None = None,
        **more: object,
    ) -> HelperOutput:
        """Play what a helper does; each sort of script is known by its $0."""
        if argv[0] == "python3":
            return HelperOutput(*self._engine.names.run(network_of or "", argv))
        if argv[0] == "find":
            return HelperOutput(*self._engine.mounts.find(argv, volumes or {}))
        if argv[3] == "crash":
            made(self._fuse, lambda: self._engine.crash(argv[5]))
            return HelperOutput(0, "")
        if argv[3] in ("measure", "fill", "unfill", "try"):
            return HelperOutput(*self._engine.mounts.run(argv, volumes or {}))
        try:
            if argv[3].startswith("netfilter/"):
                return HelperOutput(
                    *self._engine.netfilter.run(
                        (await self._engine.containers.inspect(network_of or "")).id, argv
                    )
                )
        except Blown:
            raise EnvironmentFailure("the engine gave no answer") from None
        raise AssertionError(f"no fake of the helper {argv}")


@dataclass(slots=True)
class World:
    """Services, proxies and the fuse that breaks a change in the middle."""

    fuse: Fuse = field(default_factory=Fuse)
    engine: FakeEngine = field(init=False)
    servers: dict[str, FakeToxiproxy] = field(default_factory=dict)
    relays: dict[str, FakeRelay] = field(default_factory=dict)
    _stacks: list[Stack] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.fuse)

    def service(self, name: str, replicas: int = 1) -> None:
        for replica in range(1, replicas + 1):
            one = container(name, replica, restarts=True, pid=_NO_PROCESS)
            address = self.engine.networks.join(one.id, f"{PROJECT}_default", [name])
            self.engine.add(replace(one, addresses=(address,)))

    async def proxy(self, client: str, upstream: str, port: int, *, relayed: bool = False) -> None:
        """Put one edge behind a proxy, in the container of its client; with a relay behind it."""
        service = GATEWAY if client == HOST else f"{PREFIX}{client}"
        before = [proxy for one in self.engine.of(service) for proxy in proxies_of(one)]
        proxies = [proxy for proxy in before if (proxy.upstream, proxy.port) != (upstream, port)]
        listen = 20001 + len(proxies) if client == HOST else port
        relay = RELAY_PORTS[len(proxies)] if relayed else 0
        proxies.append(Proxy(service, client, upstream, port, listen, relay))
        if service not in self.servers:
            self.servers[service] = FakeToxiproxy(self.fuse)
            api = await self.servers[service].start()
        else:
            api = self.engine.of(service)[0].published[API_PORT]
        labels = {
            ROLE_LABEL: "gateway" if client == HOST else "proxy",
            CLIENT_LABEL: client,
            PROXIES_LABEL: json.dumps([proxy.definition() for proxy in proxies]),
            UPSTREAMS_LABEL: json.dumps(sorted({p.upstream for p in proxies if client != HOST})),
        }
        published = {API_PORT: api, **{proxy.listen: 1 for proxy in proxies}}
        published |= {port: port for port in SPARE_PORTS[:2]}
        if behind := [proxy.relay for proxy in proxies if proxy.relay]:
            self.relays[service] = FakeRelay(self.fuse, behind)
            published[CONTROL_PORT] = await self.relays[service].start()
            self.engine.add(container(f"{service}{SUFFIX}", labels={ROLE_LABEL: "relay"}))
        one = container(service, labels=labels, published=published)
        address = self.engine.networks.join(one.id, f"{PROJECT}_default", [service])
        self.engine.add(replace(one, addresses=(address,)))
        self.servers[service].proxies = {
            proxy.name: {**proxy.definition(), "toxics": []} for proxy in proxies
        }

    async def stack(self) -> Stack:
        """Return a stack attached afresh, as another process would have it."""
        made = Stack(cast("Engine", self.engine), PROJECT)
        await made.attach()
        self._stacks.append(made)
        return made

    def replace_containers(self) -> None:
        """Give every service new containers that hold what the old ones held, by other ids; only
        what lived in their network namespaces is gone."""
        engine = self.engine
        for old in [c.id for c in engine.all.values() if ROLE_LABEL not in c.labels]:
            one = engine.all.pop(old)
            new = f"replaced-{old}"
            engine.all[new] = replace(one, state=replace(one.state, container_id=new))
            engine.networks.all[new] = engine.networks.all.pop(old, {})
            engine.netfilter.forget(old)
            kept: list[dict[str, Any]] = [engine.exec.redis, engine.exec.postgres]
            for stores in [*kept, engine.exec.files]:
                if old in stores:
                    stores[new] = stores.pop(old)

    def state(self) -> dict[str, object]:
        """Return everything a fault may change and a heal must bring back."""
        return {
            "containers": {c.name: c.state.status for c in self.engine.all.values()},
            "rules": self.engine.netfilter.state(),
            "taken": dict(self.engine.networks.taken),
            "inside": self.engine.exec.state(),
            "endpoints": {
                self.engine.all[id].name: dict(mine)
                for id, mine in self.engine.networks.all.items()
            },
            "limits": {
                name: limits
                for name, limits in self.engine.limits.all.items()
                if limits != UNLIMITED
            },
            "files": {
                place: dict(mine) for place, mine in self.engine.mounts.files.items() if mine
            },
            "http": {name: sorted(relay.rules) for name, relay in self.relays.items()},
            "proxies": {
                name: {
                    proxy["name"]: (proxy["enabled"], [t["name"] for t in proxy["toxics"]])
                    for proxy in server.proxies.values()
                }
                for name, server in self.servers.items()
            },
        }

    async def close(self) -> None:
        for stack in self._stacks:
            await stack.close()
        for server in self.servers.values():
            await server.stop()
        for relay in self.relays.values():
            await relay.stop()
