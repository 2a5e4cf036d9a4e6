"""What the Redis faults share: commands by `redis-cli` inside the container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic

from chaoskit.errors import FaultFailed
from chaoskit.faults.engines.redis_login import REFUSED, forget, login_variables
from chaoskit.faults.engines.stores import R_co, Store, StoreUndo, refused
from chaoskit.scripts import script
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.docker.exec import ExecResult

SILENT = (124, 137, 143, None)  # what `timeout` makes of a command that had no answer
_ERROR = re.compile(r"(ERR|NOPERM|READONLY|OOM|BUSY)\b")
OURS = "chaoskit:"  # how the names of keys of ours start; the scripts spare them


class RedisUndo(StoreUndo[R_co], Generic[R_co]):
    """A fault in one database of a Redis, by number."""

    db: int = 0


async def ask(store: Store[RedisUndo], *words: str, within: int = 5) -> str:
    """Return the answer to one command. Raises `FaultFailed` when there is none, or an error."""
    done = await _run(store, "command", str(within), *words, within=within + 5.0)
    if done.status in SILENT:
        raise _unanswered(store, f"{' '.join(words[:2])}: no answer in {within}s")
    return _answer(done, store, *words)


async def silent(store: Store[RedisUndo], tenths: int, *words: str) -> bool:
    """Return whether a command gets no answer within so many tenths of a second.

    Raises `FaultFailed` when the answer is an error: who may not log in learns nothing of a pause.
    """
    done = await _run(store, "silent", str(tenths), *words, within=tenths / 10 + 5.0)
    if done.status in SILENT:
        return True
    _answer(done, store, *words)
    return False


async def _run(store: Store[RedisUndo], name: str, *words: str, within: float) -> ExecResult:
    text, db = script(f"redis/{name}.sh"), str(store.undo.db)

    async def run() -> ExecResult:
        environment = await login_variables(store)
        return await store.run(text, store.port, db, *words, environment=environment, within=within)

    done = await run()
    if REFUSED.match(done.out):  # its password was changed meanwhile
        forget(store)
        done = await run()
    return done


def _unanswered(store: Store[RedisUndo], what: str) -> FaultFailed:
    """Return the error for a server that is silent, with the pause that makes it so."""
    key = "redis_pause", store.undo.service
    holders = store.stack.claims.others(key, store.undo.fault)
    why = f" while `{holders[0]}` pauses it" if holders else ""
    return FaultFailed(f"`{store.container.name}`: {what}{why}")


def _answer(done: ExecResult, store: Store, *words: str) -> str:
    out = done.out.strip()
    if REFUSED.match(out):
        raise FaultFailed(f"`{store.container.name}` refuses the login: {last_words(out, 120)}")
    if done.status != 0 or _ERROR.match(out):
        raise refused(done, " ".join(words[:2]), store)
    return out


async def pages(store: Store[RedisUndo], lua: str, *arguments: str) -> int:
    """Run a Lua script over every key of a database; return the sum of what it counted."""
    done = await _run(store, "pages", "10", script(f"redis/{lua}.lua"), *arguments, within=120.0)
    if done.status in SILENT or (done.status and not done.err and not done.out):
        raise _unanswered(store, "a walk over the keys: no answer")
    if done.status != 0 or not done.out.strip().isdigit():
        raise refused(done, "a walk over the keys", store)
    return int(done.out)


async def hold_pause(store: Store[RedisUndo], mode: str, seconds: int) -> None:
    """Start the process that pauses the server, and resumes it when released."""
    words = (store.port, "0", "5", mode.upper(), str(seconds))
    await store.hold(script("redis/pause.sh"), *words, environment=await login_variables(store))


async def settings(store: Store[RedisUndo], pattern: str) -> Mapping[str, str]:
    """Return the settings of the server's configuration whose names match."""
    lines = (await ask(store, "CONFIG", "GET", pattern)).splitlines()
    return dict(zip(lines[::2], lines[1::2], strict=False))


async def statistics(store: Store[RedisUndo], section: str) -> Mapping[str, str]:
    """Return one section of INFO, or `all`, by name."""
    lines = (await ask(store, "INFO", section)).splitlines()
    pairs = (line.strip().split(":", 1) for line in lines if ":" in line)
    return dict(pairs)


async def key_count(store: Store[RedisUndo]) -> int:
    """Return how many keys all databases hold."""
    rows = await statistics(store, "keyspace")
    return sum(int(text.split(",")[0].removeprefix("keys=")) for text in rows.values())


async def connections(store: Store[RedisUndo]) -> set[str]:
    """Return the ids of the ordinary clients that are connected, without our own."""
    rows = (await ask(store, "CLIENT", "LIST", "TYPE", "normal")).splitlines()
    return {
        row.split(" ", 1)[0].removeprefix("id=")
        for row in rows
        if row.startswith("id=") and "cmd=client" not in row
    }


def counted(rows: Mapping[str, str], name: str) -> int:
    """Return the first number of a statistics row: `calls=3,usec=...`, `count=7` or `12`."""
    found = re.search(r"\d+", rows.get(name, "0"))
    return int(found[0]) if found else 0
