"""How the stores of a stack are set, read from themselves: a container does not show it.

Redis is asked for its configuration and its users, Postgres for its settings, those of databases
and roles, and those in files that are not in force yet. Passwords may be among the values: they are
compared in memory and never shown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from chaoskit.docker.containers import Container
from chaoskit.docker.labels import ROLE_LABEL
from chaoskit.errors import FaultFailed
from chaoskit.faults.engines import postgres, redis
from chaoskit.faults.engines.postgres import PostgresUndo
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreRow
from chaoskit.stack.stack import Stack
from chaoskit.tasks import together

_NAME = "settings"  # what the undo of a store is called for a look: there is no fault


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The settings of each store by its name, `redis[1]`; of those that could not be read, why."""

    read: Mapping[str, Mapping[str, str]]
    unread: Mapping[str, str]

    def lost(self, later: StoreSettings) -> list[str]:
        """Return the stores that were read, and are not any more."""
        return [name for name in self.read if name not in later.read]

    def differences(self, later: StoreSettings) -> list[str]:
        """Return what is set otherwise in the stores that were read, such as `maxmemory of
        redis[1]`; a store that cannot be read any more is one."""
        found = [f"settings of {name}" for name in self.lost(later)]
        for name, before in self.read.items():
            now = later.read.get(name, before)
            keys = [*before, *(key for key in now if key not in before)]
            found += [f"{key} of {name}" for key in keys if before.get(key) != now.get(key)]
        return found


async def store_settings(stack: Stack) -> StoreSettings:
    """Read the settings of every store that runs. Raises what the engine raises."""
    found = await stack.containers.of(stack.project)
    services = [c for c in found if c.state.running and c.labels.get(ROLE_LABEL) is None]
    read: dict[str, Mapping[str, str]] = {}
    unread: dict[str, str] = {}

    async def look(container: Container) -> None:
        reader = await _reader_of(stack, container)
        if reader is None:
            return
        name = f"{container.state.service}[{container.state.replica}]"
        try:
            read[name] = await reader(stack, container)
        except FaultFailed as error:
            unread[name] = error.message

    await together(*(look(container) for container in services))
    return StoreSettings(read, unread)


async def _reader_of(stack: Stack, container: Container) -> _Reader | None:
    """Return how a container's store is read: what it is, its command or its processes tell."""
    programs = {PurePosixPath(word).name for word in container.words}
    if not programs & _READERS.keys():
        done = await stack.exec.run(container.id, ["sh", "-c", "cat /proc/[0-9]*/comm"])
        programs = set(done.out.split())
    return next((_READERS[name] for name in sorted(programs & _READERS.keys())), None)


async def _of_redis(stack: Stack, container: Container) -> Mapping[str, str]:
    service, row = container.state.service, StoreRow(replica=container.state.replica)
    undo = RedisUndo(fault=_NAME, service=service, port=None, replicas=(row,))
    store = Store(stack, container, undo)
    found = dict(await redis.settings(store, "*"))
    if "aclfile" in found:  # servers before that know no users
        found["users"] = await redis.ask(store, "ACL", "LIST")
    return found


async def _of_postgres(stack: Stack, container: Container) -> Mapping[str, str]:
    service, row = container.state.service, StoreRow(replica=container.state.replica)
    undo = PostgresUndo(fault=_NAME, service=service, port=None, replicas=(row,))
    rows = await postgres.ask(Store(stack, container, undo), "settings")
    return dict(map(json.loads, rows.splitlines()))


_Reader = Callable[[Stack, Container], Awaitable[Mapping[str, str]]]
_READERS: Mapping[str, _Reader] = {
    "redis-server": _of_redis,
    "valkey-server": _of_redis,
    "keydb-server": _of_redis,
    "postgres": _of_postgres,
}
