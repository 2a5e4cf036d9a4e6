"""`postgres_lock`: somebody holds a table and does not let go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

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

Mode = Literal[
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
]
# The weakest lock that each mode keeps others from getting (documentation, table 13.2).
_BLOCKS: Mapping[str, str] = {
    "ACCESS SHARE": "ACCESS EXCLUSIVE",
    "ROW SHARE": "EXCLUSIVE",
    "ROW EXCLUSIVE": "SHARE",
    "SHARE UPDATE EXCLUSIVE": "SHARE UPDATE EXCLUSIVE",
    "SHARE": "ROW EXCLUSIVE",
    "SHARE ROW EXCLUSIVE": "ROW EXCLUSIVE",
    "EXCLUSIVE": "ROW SHARE",
    "ACCESS EXCLUSIVE": "ACCESS SHARE",
}
_PATIENCE = 10.0
_POLL = 0.05
_PART = r'([A-Za-z_][A-Za-z0-9_$]*|"[^"\\;]+")'


@fault("postgres_lock")
class PostgresLock(StoreFault):
    """Lock a table in an open transaction: statements that need it wait.

    `mode` is one of Postgres' eight table locks; ACCESS EXCLUSIVE, the default, also stops reads,
    SHARE stops only writes. Like every client, the fault waits for its lock behind transactions
    that use the table, up to 10s, and others queue up behind it.
    """

    example = "{ at: 2s, for: 3s, fault: postgres_lock, service: postgres, table: participants }"

    table: Annotated[str, Field(pattern=rf"^{_PART}(\.{_PART})?$", max_length=130)]
    mode: Mode = "ACCESS EXCLUSIVE"
    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        return Forecast(
            f"table {self.table} of {self.target} locked in mode {self.mode}",
            "end the session that holds the lock",
            "deadlocks: nobody is chosen as a victim, everybody waits",
        )

    def told(self) -> Mapping[str, Json]:
        return {
            "database": self.database,
            "table": self.table,
            "mode": self.mode,
            "seconds": postgres.lease_seconds(self.for_),
        }

    async def read(self, place: Place) -> Mapping[str, Json]:
        if await postgres.ask(place, postgres.TABLE, table=self.table) != "t":
            raise FaultFailed(f"`{place.container.name}` has no table `{self.table}`")
        return {}

    async def act(self, place: Place) -> None:
        statement = f"LOCK TABLE {self.table} IN {self.mode} MODE"
        await postgres.hold(place, postgres.LOCK, str(place.undo["seconds"]), statement)
        receipt = await until(
            lambda: self.shown(place), met=lambda shown: shown.holds, within=_PATIENCE, every=_POLL
        )
        if not receipt.holds:
            raise FaultFailed(f"`{self.table}` could not be locked within {_PATIENCE:.0f} s")

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        table, mode = place.undo["table"], place.undo["mode"]
        name = mode.title().replace(" ", "") + "Lock"
        found = await postgres.ask(
            place, postgres.LOCKED, table=table, mode=name, holder=place.holder
        )
        if found == "0":
            return Receipt(False, f"{table} is not locked by `{place.holder}`")
        return Receipt(True, f"{table} is locked in mode {mode} by `{place.holder}`")

    @classmethod
    async def lift(cls, place: Place) -> None:
        await postgres.release(place)

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        left = await postgres.held(place)
        return Receipt(left == 0, f"{left} sessions hold the lock")

    async def effect(self, stack: Stack, undo: Undo) -> Receipt:
        """Ask for the weakest lock that it keeps others from, and count who waits for it."""
        refused, waiting = True, 0
        for place in await places_of(stack, undo):
            query = postgres.TRY_LOCK.format(table=self.table, mode=_BLOCKS[self.mode])
            done = await postgres.attempt(place, query)
            refused = refused and done.status != 0 and "55P03" in done.err
            waiting += int(await postgres.ask(place, postgres.WAITING, holder=place.holder))
        what = f"a lock in mode {_BLOCKS[self.mode]} on {self.table}"
        said = f"{what} was not to be had (55P03)" if refused else f"{what} was granted"
        return Receipt(refused, f"{said}, {waiting} sessions waited for it")
