"""`postgres_read_only`: every write is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.postgres import PostgresUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow, stores_of

if TYPE_CHECKING:
    from chaoskit.stack.stack import Stack

_PATIENCE = 5.0  # seconds for the server to read its configuration again
_POLL = 0.02


class ReadOnlyRow(StoreRow):
    """The default that was set before, if there was one."""

    previous: str | None


ReadOnlyUndo = PostgresUndo[ReadOnlyRow]


@fault("postgres_read_only")
class PostgresReadOnly(StoreFault[ReadOnlyUndo]):
    """Make a Postgres refuse writes, as after a failover to a replica (error 25006).

    Without `database` the whole server changes (ALTER SYSTEM and a reload): open sessions feel it
    from their next transaction on and keep their connection. With `database` only that one does
    (ALTER DATABASE), and its open sessions are ended, now and at the heal, because a session keeps
    what it began with. A client that asks for a read-write transaction still gets one.
    """

    undo_model = ReadOnlyUndo
    example = "{ at: 2s, for: 5s, fault: postgres_read_only, service: postgres }"
    lasting = True
    alone = True

    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        what = f"database {self.database} of {self.target}" if self.database else self.target
        return Forecast(
            f"transactions of {what} read-only by default",
            "put default_transaction_read_only back as it was",
            "a full disk or a broken server: reads go on",
        )

    async def read_one(self, store: Store[ReadOnlyUndo]) -> ReadOnlyRow:
        now = await postgres.ask(store, "read_only", plain=True)
        if now != "off":
            raise FaultFailed(f"`{store.container.name}` is read-only already")
        where = "in_database" if self.database else "in_system"
        previous = await postgres.ask(store, where) or None
        return ReadOnlyRow(replica=store.replica, previous=previous)

    async def inject_one(self, store: Store[ReadOnlyUndo]) -> None:
        await _set(store, "on")
        await _until(store, "on")

    @classmethod
    async def verify_one(cls, store: Store[ReadOnlyUndo]) -> Receipt:
        now = await postgres.ask(store, "read_only", plain=True)
        return Receipt(now == "on", f"default_transaction_read_only is {now} in a new session")

    @classmethod
    async def heal_one(cls, store: Store[ReadOnlyUndo]) -> None:
        await _set(store, store.undo.of(store).previous)
        await _until(store, "off")

    @classmethod
    async def verify_healed_one(cls, store: Store[ReadOnlyUndo]) -> Receipt:
        where = "in_database" if store.undo.database else "in_system"
        setting = await postgres.ask(store, where) or None
        shown = await cls.verify_one(store)
        same = setting == store.undo.of(store).previous
        return Receipt(same and not shown.holds, shown.detail)

    async def effect(self, stack: Stack, undo: ReadOnlyUndo) -> Receipt:
        """Try to write; the attempt is rolled back where it is not refused."""
        refused = True
        for store in await stores_of(stack, undo):
            done = await postgres.attempt(store, "try_write", plain=True)
            refused = refused and done.status != 0 and "25006" in done.err
        said = "is refused (25006)" if refused else "is accepted"
        return Receipt(refused, f"a write in a new session {said}")


async def _set(store: Store[ReadOnlyUndo], value: str | None) -> None:
    """Set the default of the database or of the whole server, or take it away."""
    database = store.undo.database
    if database:
        query = "reset_database" if value is None else "set_database"
        await postgres.ask(store, query, database=database, value=value or "")
        await postgres.end_sessions(store)
        return
    query = "reset_system" if value is None else "set_system"
    await postgres.ask(store, query, value=value or "")
    await postgres.ask(store, "reload")


async def _until(store: Store[ReadOnlyUndo], wanted: str) -> None:
    """Wait until new sessions have it: a reload is only asked for, not waited for."""

    async def taken_over() -> bool:
        return await postgres.ask(store, "read_only", plain=True) == wanted

    if not await until(taken_over, within=_PATIENCE, every=_POLL):
        raise FaultFailed(
            f"`{store.container.name}` did not load its configuration within {_PATIENCE:.0f} s"
        )
