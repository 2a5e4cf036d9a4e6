"""`postgres_terminate`: every session of a database ended by the server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.postgres import PostgresUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow


class TerminateRow(StoreRow):
    """The sessions that were open."""

    sessions: tuple[str, ...]


TerminateUndo = PostgresUndo[TerminateRow]


@fault("postgres_terminate")
class PostgresTerminate(StoreFault[TerminateUndo]):
    """End all sessions of a database, as an administrator's restart of it would.

    Clients see an error in the middle of what they do, and transactions roll back; they may connect
    again at once. `database` is by default the one that the image was set up with.
    """

    undo_model = TerminateUndo
    example = "{ at: 2s, fault: postgres_terminate, service: postgres, database: chat }"
    instant = True

    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        return Forecast(
            f"every session of {self.database or 'the database'} of {self.target} terminated",
            "nothing: clients connect again by themselves",
            "a Postgres that is gone: it accepts new connections all the time",
        )

    async def read_one(self, store: Store[TerminateUndo]) -> TerminateRow:
        found = await postgres.sessions(store)
        if not found:
            raise FaultFailed(f"no other client has a session on `{store.container.name}`")
        return TerminateRow(replica=store.replica, sessions=tuple(sorted(found)))

    async def inject_one(self, store: Store[TerminateUndo]) -> None:
        await postgres.end_sessions(store)

    @classmethod
    async def verify_one(cls, store: Store[TerminateUndo]) -> Receipt:
        before = set(store.undo.of(store).sessions)
        left = before & await postgres.sessions(store)
        return Receipt(not left, f"{len(before) - len(left)} of {len(before)} sessions ended")

    @classmethod
    async def heal_one(cls, store: Store[TerminateUndo]) -> None:
        """Clients connect again by themselves."""

    @classmethod
    async def verify_healed_one(cls, store: Store[TerminateUndo]) -> Receipt:
        return Receipt(True, f"{len(await postgres.sessions(store))} sessions are open")
