"""What the engine does to single containers, in memory: limits, twins, helpers, small mounts.

The contract tests hold the same faults against a real engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.containers import Container
from chaoskit.docker.events import EngineEvent
from chaoskit.docker.limits import Limits, Usage
from chaoskit.docker.machine import MachineInfo
from chaoskit.docker.volumes import MountedVolume
from chaoskit.errors import EnvironmentFailure
from chaoskit.records import ContainerState
from tests.fakes.fake_toxiproxy import Blown, Fuse

if TYPE_CHECKING:
    from tests.fakes.fake_world import FakeEngine

UNLIMITED = Limits(None, True, 100_000, None, None, 0, "")
ROOM = 8 * 1024**2  # bytes of each small mount
IDLE = Usage(0.0, 0, 0, 0.0, 1024**2, 0, 0)


def made(fuse: Fuse, apply: Callable[[], None]) -> None:
    """Change the world, as an engine that may stop answering."""
    try:
        fuse.change(apply)
    except Blown:
        raise EnvironmentFailure("the engine gave no answer") from None


class FakeLimits:
    """The calls of `ContainerLimits`; tests set `used`."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self.all: dict[str, Limits] = {}  # by container name
        self.used: dict[str, Usage] = {}
        self.busy = False  # the kernel cannot take memory away
        self._engine = engine
        self._fuse = fuse

    async def limits(self, container_id: str) -> Limits:
        return self.all.get((await self._engine.containers.inspect(container_id)).name, UNLIMITED)

    async def limit_cores(self, container_id: str, cores: float | None, was: Limits) -> None:
        await self._set(container_id, cores=cores)

    async def limit_memory(
        self, container_id: str, memory: int | None, memory_and_swap: int | None
    ) -> None:
        if self.busy:
            raise EnvironmentFailure("change limits: device or resource busy")
        await self._set(container_id, memory=memory, memory_and_swap=memory_and_swap)

    async def _set(self, container_id: str, **changes: float | None) -> None:
        name = (await self._engine.containers.inspect(container_id)).name
        now = self.all.get(name, UNLIMITED)
        after = replace(now, **changes)  # type: ignore[arg-type]  # the fields named above
        made(self._fuse, lambda: self.all.update({name: after}))

    async def consumption(self, container_id: str) -> Usage:
        return self.used.get((await self._engine.containers.inspect(container_id)).name, IDLE)


class FakeVolumes:
    """The volumes of containers; tests set `mounted`."""

    def __init__(self, engine: FakeEngine) -> None:
        self.mounted: dict[str, list[MountedVolume]] = {}  # by container name
        self._engine = engine

    async def of(self, container_id: str) -> list[MountedVolume]:
        return self.mounted.get((await self._engine.containers.inspect(container_id)).name, [])


class FakeRecreation:
    """The calls of `Recreation`, and starting helpers that stay."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self._engine = engine
        self._fuse = fuse
        self._made = 0

    async def create_like(self, container_id: str, name: str, *, keep_volumes: bool) -> str:
        old = await self._engine.containers.inspect(container_id)
        self._made += 1
        id = f"new-{self._made}-{old.name}"
        state = replace(old.state, container_id=id, name=name, status="created", restart_count=0)
        self._add(replace(old, state=state, created="2026-01-02T00:00:00Z"), like=old.id)
        return id

    async def start_new(
        self,
        image: str,
        argv: Sequence[str],
        *,
        name: str,
        labels: Mapping[str, str],
        memory: int,
        cpuset: str = "",
        network_of: str | None = None,
        capabilities: Sequence[str] = (),
    ) -> None:
        started = "2026-01-01T00:00:00Z"
        state = ContainerState("", 1, f"id-{name}", name, "running", None, 0, 0, started)
        nothing: Mapping[int, int] = {}
        made_one = Container(state, labels, (), nothing, image, image, 1, 10.0, False)
        self._add(made_one)
        self._engine.names.start(name, network_of, argv)

    def _add(self, one: Container, like: str | None = None) -> None:
        def apply() -> None:
            self._engine.add(one)
            endpoints = self._engine.networks.all
            if like is not None:
                endpoints[one.id] = dict(endpoints.get(like, {}))

        made(self._fuse, apply)

    async def rename(self, container_id: str, name: str) -> None:
        one = await self._engine.containers.inspect(container_id)
        renamed = replace(one, state=replace(one.state, name=name))
        made(self._fuse, lambda: self._engine.add(renamed))

    async def remove(self, container: str, *, volumes: bool) -> None:
        taken = self._engine.networks.taken
        for place in [place for place, name in taken.items() if name == container]:
            made(self._fuse, partial(taken.__delitem__, place))
        try:
            one = await self._engine.containers.inspect(container)
            id = one.id
        except NoSuchContainer:
            return

        def apply() -> None:
            del self._engine.all[id]
            self._engine.names.remove(one.name)
            self._engine.networks.all.pop(id, None)

        made(self._fuse, apply)


class FakeMounts:
    """Small mounts of containers and what fills them; plays the scripts of `disk_full`."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self.files: dict[str, dict[str, int]] = {}  # by container name or volume
        self._engine = engine
        self._fuse = fuse

    def free(self, place: str) -> int:
        return ROOM - sum(self.files.get(place, {}).values())

    def run(self, argv: Sequence[str], volumes: Mapping[str, str]) -> tuple[int, str]:
        step, _, owner, _, file, leave = argv[3:]
        place = next(iter(volumes), None) or self._engine.all[owner].name
        mine = self.files.setdefault(place, {})
        free = self.free(place)
        match step:
            case "measure":
                return 0, f"7 8 {ROOM // 4096} 4096 {free // 4096} 999999"
            case "fill":
                size = max(0, free - int(leave))
                made(self._fuse, lambda: mine.__setitem__(file, size))
                return 0, ""
            case "unfill":
                if file in mine:
                    made(self._fuse, lambda: mine.__delitem__(file))
                return 0, ""
            case _:
                if file not in mine:
                    return 0, "absent"
                full = free <= int(leave)
                return 0, f"1 {free} head: No space left on device" if full else f"0 {free} "

    def find(self, argv: Sequence[str], volumes: Mapping[str, str]) -> tuple[int, str]:
        """Empty volumes, or count what is in them."""
        if "-delete" in argv:
            left = {name: mine for name, mine in self.files.items() if name not in volumes}
            made(self._fuse, lambda: setattr(self, "files", left))
            return 0, ""
        return 0, "x" * sum(len(self.files.get(name, {})) for name in volumes)


class FakeHistory:
    """What the engine saw: events with a clock that moves on by a second for each."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []

    def add(self, state: ContainerState, action: str, signal: int | None = None) -> None:
        stamp = (len(self.events) + 1) * 10**9
        self.events.append(EngineEvent(state.service, state.replica, action, stamp, None, signal))

    def host(self) -> MachineInfo:
        return MachineInfo(len(self.events) + 0.5, 2, 8 * 1024**3)

    def since(self, since: float, service: str) -> list[EngineEvent]:
        return [e for e in self.events if e.service == service and e.time_ns > since * 1e9]
