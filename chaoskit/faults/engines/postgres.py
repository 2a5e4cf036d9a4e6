"""What the Postgres faults share: statements by `psql` inside the container.

The user is the one that the image was set up with (`POSTGRES_USER`, else `postgres`), who is its
superuser; the password, where one is needed at all, is in the image's variables too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.engines.stores import R_co, Store, StoreUndo, refused
from chaoskit.scripts import script, statements
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.docker.exec import ExecResult

FULL = ("53300", "too many clients", "too many connections", "connection slots are reserved")
_POLL = 0.05
_LOGIN = (
    "it logs in as POSTGRES_USER (else `postgres`) with POSTGRES_PASSWORD of the service, which"
    " must be those of a superuser"
)
# Why psql cannot do anything: what it says, what that means, and what to do about it.
_TROUBLES = (
    (
        FULL,
        "has no connection left for the fault",
        "raise `max_connections`, or let it start later",
    ),
    (
        ("authentication failed", "FATAL:.*role .* does not exist", "pg_hba.conf", "no password"),
        "does not let the fault log in",
        _LOGIN,
    ),
    (("42501", "permission denied", "must be superuser"), "gives the fault too few rights", _LOGIN),
    (
        ("FATAL:.*database .* does not exist",),
        "has no such database",
        "name one that is there with `database`, or POSTGRES_DB of the service",
    ),
    (
        ("database system is", "not yet accepting", "shutting down"),
        "starts or stops just now",
        "let the fault start when it is up",
    ),
    (
        ("connection to server", "could not connect", "could not translate", "timeout expired"),
        "cannot be reached by the fault",
        "write its `port`, or PGHOST and PGPORT of the service, if it listens elsewhere",
    ),
)


class PostgresUndo(StoreUndo[R_co], Generic[R_co]):
    """A fault in one database of a Postgres, by name; None: the one that the image was set up
    with."""

    database: str | None = None


async def attempt(
    store: Store[PostgresUndo], statement: str, *, plain: bool = False, **variables: str
) -> ExecResult:
    """Run what `statements.sql` has under a name, and return how that went; `plain` as an
    application's session would."""
    assignments = [word for name, text in variables.items() for word in ("-v", f"{name}={text}")]
    database = store.undo.database or ""
    query = statements("postgres/statements.sql")[statement]
    how = script(f"postgres/{'plain' if plain else 'query'}.sh")
    return await store.run(how, store.port, database, query, *assignments, within=20.0)


async def ask(
    store: Store[PostgresUndo], statement: str, *, plain: bool = False, **variables: str
) -> str:
    """Return what statements print. Raises `FaultFailed` when one of them is refused.

    `variables` are `:'name'` (text) and `:"name"` (identifier) in the statements.
    """
    done = await attempt(store, statement, plain=plain, **variables)
    if done.status != 0:
        raise no_answer(done, "psql", store)
    return done.out.strip()


def no_answer(done: ExecResult, what: str, store: Store) -> FaultFailed:
    """Return the error for a psql that did not end well: what is wrong and what to do, with its own
    line as the reason."""
    for patterns, means, remedy in _TROUBLES if done.status not in (None, 126, 127) else ():
        if re.search("|".join(patterns), done.err, re.IGNORECASE):
            said = last_words(done.err, 300).removeprefix("psql: error: ").removeprefix("psql: ")
            text = f"the Postgres of `{store.container.name}` {means}: {remedy} (psql: {said})"
            return FaultFailed(text)
    return refused(done, what, store)


async def sessions(store: Store[PostgresUndo]) -> set[str]:
    """Return the sessions of other clients of the database."""
    return set((await ask(store, "sessions")).split())


async def end_sessions(store: Store[PostgresUndo]) -> set[str]:
    """Terminate every session of other clients of the database and wait until they are gone."""
    before = await sessions(store)
    await ask(store, "end_sessions")
    await until_gone(store, before)
    return before


async def until_gone(store: Store[PostgresUndo], wanted: set[str], within: float = 5.0) -> None:
    await until(
        lambda: sessions(store),
        met=lambda now: not wanted & now,
        within=within,
        every=_POLL,
    )


async def hold(store: Store[PostgresUndo], name: str, *words: str) -> None:
    """Start a script that holds sessions open, named after the fault; `release` ends it."""
    database = store.undo.database or ""
    await store.hold(script(f"postgres/{name}.sh"), store.port, database, store.holder, *words)


async def release(store: Store[PostgresUndo], within: float = 10.0) -> None:
    """End what `hold` started and every session of it. Raises `FaultFailed` when one stays.

    Its processes are signalled first: that needs no free connection.
    """

    async def end() -> ExecResult:
        await store.release()
        return await attempt(store, "end_held", holder=store.holder)

    def gone(done: ExecResult) -> bool:
        return done.status == 0 and done.out.strip() == "0"

    done = await until(end, met=gone, within=within, every=_POLL)
    if not gone(done):
        raise no_answer(done, f"sessions of `{store.holder}` cannot be ended", store)


async def held(store: Store[PostgresUndo]) -> int:
    """Return how many sessions of the fault's own are open."""
    return int(await ask(store, "held", holder=store.holder))


def lease_seconds(lease: float | None, margin: int = 60) -> int:
    """Return how long something held lasts when it is not released."""
    return 3600 if lease is None else int(lease) + margin
