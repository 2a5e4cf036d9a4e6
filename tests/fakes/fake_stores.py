"""Commands inside containers that are not there: a little Redis, a little Postgres, a few files.

They know the very scripts and statements that the faults send, and nothing else. What a real server
makes of those is for the contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from chaoskit.docker.exec import ExecResult
from chaoskit.errors import EnvironmentFailure
from chaoskit.faults.engines import redis, stores
from chaoskit.scripts import script, statements
from tests.fakes.fake_services import made

if TYPE_CHECKING:
    from tests.fakes.fake_toxiproxy import Fuse
    from tests.fakes.fake_world import FakeEngine

Change = Callable[[Callable[[], Any]], None]
FULL = ExecResult(2, "", "psql: error: FATAL:  sorry, too many clients already")
_SQL = {text: name for name, text in statements("postgres/statements.sql").items()}
_LUA = {
    script(f"redis/{name}.lua"): name
    for name in ("count", "delete", "poison", "poisoned", "restore")
}
SETTINGS = {"maxmemory": "0", "maxmemory-policy": "noeviction"}


def _ok(out: object = "") -> ExecResult:
    return ExecResult(0, f"{out}\n", "")


@dataclass
class FakeRedis:
    """A server with three keys, which its application writes again, and two clients."""

    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    keys: dict[str, str] = field(default_factory=dict)
    clients: set[int] = field(default_factory=lambda: {1, 2})
    deletes: int = 0
    paused: str | None = None
    evicted: int = 0

    def __post_init__(self) -> None:
        self.refill()

    def refill(self) -> None:
        if not any(not key.startswith("chaoskit:") for key in self.keys):
            self.keys |= {f"chat:{number}": "true" for number in range(3)}

    def changed(self) -> dict[str, Any]:
        """What a heal must bring back: lost keys and clients are lost."""
        odd = {key: value for key, value in self.keys.items() if value != "true" or ":o" in key}
        settings = self.settings if self.settings != SETTINGS else {}
        found = {"settings": dict(settings), "keys": odd, "paused": self.paused}
        return {name: what for name, what in found.items() if what}

    def command(self, words: Sequence[str], change: Change) -> ExecResult:
        match words:
            case ["PING"] if self.paused != "ALL":
                return _ok("PONG")
            case ["CLIENT", "UNPAUSE"] if self.paused != "ALL":
                return _ok("OK")
            case ["PUBLISH", _, _] if self.paused is None:
                return _ok("0")
            case _ if self.paused is not None:
                return ExecResult(124, "", "")
            case ["CONFIG", "GET", pattern]:
                found = [name for name in self.settings if fnmatchcase(name, pattern)]
                return _ok("\n".join(f"{name}\n{self.settings[name]}" for name in found))
            case ["CONFIG", "SET", name, value]:
                change(lambda: self.settings.update({name: value}))
                return _ok("OK")
            case ["INFO", "keyspace"]:
                count = len(self.keys)
                self.refill()  # the application goes on meanwhile
                return _ok(f"# Keyspace\ndb0:keys={count},expires=0" if count else "# Keyspace")
            case ["INFO", "commandstats"]:
                return _ok(f"cmdstat_unlink:calls={self.deletes},usec=9")
            case ["INFO", "all"]:
                return _ok(f"# Stats\nevicted_keys:{self.evicted}\n# Errorstats")
            case ["FLUSHALL"]:
                change(self._flush)
                return _ok("OK")
            case ["CLIENT", "LIST", "TYPE", "normal"]:
                return _ok("\n".join(f"id={id} cmd=get" for id in self.clients))
            case ["CLIENT", "KILL", *_]:
                change(self._kill)
                return _ok(2)
        raise AssertionError(f"no fake of {words}")

    def walk(self, lua: str, arguments: Sequence[str], change: Change) -> ExecResult:
        if self.paused is not None:
            return ExecResult(1, "", "")
        name = _LUA[lua]
        if name in ("count", "delete"):
            found = [k for k in self.keys if fnmatchcase(k, arguments[0]) and k[:9] != redis.OURS]
            if name == "delete":
                change(lambda: self._delete(found))
            else:
                self.refill()
            return _ok(len(found))
        saved = arguments[0]
        olds = [key for key in self.keys if key.startswith(saved)]
        if name == "poison":
            found = [k for k in self.keys if fnmatchcase(k, arguments[1]) and k[:9] != redis.OURS]
            for key in found:
                change(lambda key=key: self._poison(saved, key))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            return _ok(len(found))
        poisoned = [old for old in olds if self.keys.get(old.removeprefix(saved)) == saved]
        if name == "poisoned":
            return _ok(len(olds if arguments[1] == "saved" else poisoned))
        assert name == "restore"
        for old in olds:
            value = self.keys.pop(old)
            if old in poisoned:
                self.keys[old.removeprefix(saved)] = value
        return _ok(len(poisoned))

    def _flush(self) -> None:
        self.keys.clear()
        self.deletes += 1

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            del self.keys[key]
        self.deletes += 1

    def _poison(self, saved: str, key: str) -> None:
        self.keys[saved + key] = self.keys[key]
        self.keys[key] = saved

    def _kill(self) -> None:
        self.clients = {max(self.clients) + 1, max(self.clients) + 2}  # they come back


@dataclass
class FakePostgres:
    """A server with two sessions, which come back when they are ended."""

    sessions: set[int] = field(default_factory=lambda: {11, 12})
    held: dict[str, str] = field(default_factory=dict)  # holder -> what it holds
    system: str | None = None
    loaded: str | None = None
    database: str | None = None

    def changed(self) -> dict[str, Any]:
        found = {"held": dict(self.held), "system": self.system, "loaded": self.loaded}
        found["database"] = self.database
        return {name: what for name, what in found.items() if what}

    def query(self, query: str, variables: Mapping[str, str], change: Change) -> ExecResult:
        if "exhausted" in self.held.values():
            return FULL
        holder = variables.get("holder", "")
        match _SQL[query]:
            case "free":
                return _ok(97)
            case "table":
                return _ok("t" if variables["table"] == "participants" else "f")
            case "held":
                return _ok(int(holder in self.held))
            case "end_held":
                change(lambda: self.held.pop(holder, None))
                return _ok(0)
            case "locked":
                return _ok(int(holder in self.held))
            case "sessions":
                return _ok("\n".join(f"{id}@1" for id in sorted(self.sessions)))
            case "end_sessions":
                change(self._end)
                return _ok(2)
            case "read_only":
                return _ok(self.database or self.loaded or "off")
            case "in_system":
                return _ok(self.system or "")
            case "in_database":
                return _ok(self.database or "")
        self._alter(query, variables, change)
        return _ok()

    def _alter(self, query: str, variables: Mapping[str, str], change: Change) -> None:
        value = variables.get("value") or None
        match _SQL[query]:
            case "set_system" | "reset_system":
                change(lambda: setattr(self, "system", value))
            case "reload":
                change(lambda: setattr(self, "loaded", self.system))
            case "set_database" | "reset_database":
                change(lambda: setattr(self, "database", value))
            case _:
                raise AssertionError(f"no fake of {query}")

    def _end(self) -> None:
        self.sessions = {max(self.sessions) + 1, max(self.sessions) + 2}


class FakeExec:
    """`ContainerExec` on stores in memory, one of each sort per container."""

    def __init__(self, engine: FakeEngine, fuse: Fuse) -> None:
        self._engine = engine
        self._fuse = fuse
        self.redis: dict[str, FakeRedis] = {}
        self.postgres: dict[str, FakePostgres] = {}
        self.files: dict[str, set[str]] = {}
        self.environments: list[Mapping[str, str]] = []
        self.command = ["redis-server", "--requirepass", "sesame"]
        self.environment_of: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}  # of files, by path
        self.status = f"NSpid:\t99\t1\nSigIgn:\t{0:016x}\nSigCgt:\t{2**63 - 1:016x}"

    def state(self) -> dict[str, Any]:
        """Return what a heal must bring back, of every container where anything is to bring."""
        found: dict[str, Any] = {name: store.changed() for name, store in self.redis.items()}
        found |= {f"{name} (sql)": store.changed() for name, store in self.postgres.items()}
        found |= {f"{name} (files)": sorted(mine) for name, mine in self.files.items()}
        return {name: what for name, what in found.items() if what}

    async def words(self, container_id: str) -> list[str]:
        return self.command

    async def environment(self, container_id: str) -> dict[str, str]:
        return self.environment_of.get(container_id, {})

    async def run(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        within: float = 10.0,
    ) -> ExecResult:
        await self._running(container_id)
        self.environments.append(environment or {})
        if argv == ["cat", "/proc/1/status"]:
            return _ok(self.status)
        if argv[0] == "cat":
            return _ok(self.texts.get(argv[1], ""))
        text, words = argv[2], list(argv[4:])
        if text == script("processes/release.sh"):
            self._change(lambda: self._release(container_id, words[0].rstrip(";")))
            return _ok()
        if text == script("redis/look.sh"):
            return _ok()
        if text in (script("redis/command.sh"), script("redis/silent.sh")):
            return self._redis(container_id).command(words[3:], self._change)
        if text == script("redis/pages.sh"):
            return self._redis(container_id).walk(words[3], words[4:], self._change)
        if text in (script("postgres/query.sh"), script("postgres/plain.sh")):
            pairs = (word.split("=", 1) for word in words[4::2])
            return self._postgres(container_id).query(words[2], dict(pairs), self._change)
        return self._shell(container_id, text)

    async def leave(
        self,
        container_id: str,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        await self._running(container_id)
        text, words = argv[2], argv[4:]
        holder = (environment or {})[stores.HELD].rstrip(";")
        if text == script("redis/pause.sh"):
            store = self._redis(container_id)
            self._change(lambda: setattr(store, "paused", words[3]))
            return
        held = "locked" if text == script("postgres/lock.sh") else "exhausted"
        self._change(lambda: self._postgres(container_id).held.update({holder: held}))

    async def _running(self, container_id: str) -> None:
        status = (await self._engine.containers.inspect(container_id)).state.status
        if status != "running":
            raise EnvironmentFailure(f"the container is {status}")

    def _release(self, container_id: str, holder: str) -> None:
        self._redis(container_id).paused = None
        self._postgres(container_id).held.pop(holder, None)

    def _shell(self, container_id: str, line: str) -> ExecResult:
        files = self.files.setdefault(container_id, set())
        match line.split():
            case ["touch", name]:
                self._change(lambda: files.add(name))
                return _ok(f"made {name}")
            case ["rm", "-f", name]:
                self._change(lambda: files.discard(name))
                return _ok()
            case ["test", "-e", name]:
                return ExecResult(0 if name in files else 1, "", "")
            case ["hang"]:
                return ExecResult(None, "", "")
        return ExecResult(127, "", f"sh: {line}: not found")

    def _redis(self, container_id: str) -> FakeRedis:
        return self.redis.setdefault(container_id, FakeRedis())

    def _postgres(self, container_id: str) -> FakePostgres:
        return self.postgres.setdefault(container_id, FakePostgres())

    def _change(self, apply: Callable[[], Any]) -> None:
        made(self._fuse, apply)
