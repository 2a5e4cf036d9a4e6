"""`postgres_read_only`: every write is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, Undo, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.stores import StoreFault, places_of

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json
    from chaoskit.stack.stack import Stack

_PATIENCE = 5.0  # seconds for the server to read its configuration again
_POLL = 0.02


@fault("postgres_read_only")
class PostgresReadOnly(StoreFault):
    """Make a Postgres refuse writes, as after a failover to a replica (error 25006).

    Without `database` the whole server changes (ALTER SYSTEM and a reload): open sessions feel it
    from their next transaction on and keep their connection. With `database` only that one does
    (ALTER DATABASE), and its open sessions are ended, now and at the heal, because a session keeps
    what it began with. A client that asks for a read-write transaction still gets one.
    """

    example = "{ at: 2s, for: 5s, fault: postgres_read_only, service: postgres }"
    lasting: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        what = f"database {self.database} of {self.target}" if self.database else self.target
        return Forecast(
            f"transactions of {what} read-only by default",
            "put default_transaction_read_only back as it was",
            "a full disk or a broken server: reads go on",
        )

    def told(self) -> Mapping[str, Json]:
        return {"database": self.database}

    async def read(self, place: Place) -> Mapping[str, Json]:
        now = await postgres.ask(place, postgres.READ_ONLY, plain=True)
        if now != "off":
            raise FaultFailed(f"`{place.container.name}` is read-only already")
        where = postgres.IN_DATABASE if self.database else postgres.IN_SYSTEM
        return {"previous": await postgres.ask(place, where) or None}

    async def act(self, place: Place) -> None:
        await _set(place, "on")
        await _until(place, "on")

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        now = await postgres.ask(place, postgres.READ_ONLY, plain=True)
        return Receipt(now == "on", f"default_transaction_read_only is {now} in a new session")

    @classmethod
    async def lift(cls, place: Place) -> None:
        await _set(place, place.row["previous"])
        await _until(place, "off")

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        where = postgres.IN_DATABASE if place.undo["database"] else postgres.IN_SYSTEM
        setting = await postgres.ask(place, where) or None
        shown = await cls.shown(place)
        same = setting == place.row["previous"]
        return Receipt(same and not shown.holds, shown.detail)

    async def effect(self, stack: Stack, undo: Undo) -> Receipt:
        """Try to write; the attempt is rolled back where it is not refused."""
        refused = True
        for place in await places_of(stack, undo):
            done = await postgres.attempt(place, postgres.TRY_WRITE, plain=True)
            refused = refused and done.status != 0 and "25006" in done.err
        said = "is refused (25006)" if refused else "is accepted"
        return Receipt(refused, f"a write in a new session {said}")


async def _set(place: Place, value: str | None) -> None:
    """Set the default of the database or of the whole server, or take it away."""
    database = place.undo["database"]
    if database:
        query = postgres.RESET_DATABASE if value is None else postgres.SET_DATABASE
        await postgres.ask(place, query, database=database, value=value or "")
        await postgres.end_sessions(place)
        return
    query = postgres.RESET_SYSTEM if value is None else postgres.SET_SYSTEM
    await postgres.ask(place, query, value=value or "")
    await postgres.ask(place, postgres.RELOAD)


async def _until(place: Place, wanted: str) -> None:
    """Wait until new sessions have it: a reload is only asked for, not waited for."""

    async def taken_over() -> bool:
        return await postgres.ask(place, postgres.READ_ONLY, plain=True) == wanted

    if not await until(taken_over, within=_PATIENCE, every=_POLL):
        raise FaultFailed(f"`{place.container.name}` does not take over its configuration")
