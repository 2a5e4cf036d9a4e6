"""`postgres_lock`: a table that stays locked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.postgres import PostgresUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow, stores_of

if TYPE_CHECKING:
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
_PART = r'([A-Za-z_][A-Za-z0-9_$]*|"[^"\\;]+")'


class LockUndo(PostgresUndo):
    """What is locked, and for how many seconds at most."""

    table: str
    mode: Mode
    seconds: int


@fault("postgres_lock")
class PostgresLock(StoreFault[LockUndo]):
    """Lock a table in an open transaction: statements that need it wait.

    `mode` is one of Postgres' eight table locks; ACCESS EXCLUSIVE, the default, also stops reads,
    SHARE stops only writes. Like every client, the fault waits for its lock behind transactions
    that use the table, up to 10s, and others queue up behind it.
    """

    undo_model = LockUndo
    example = "{ at: 2s, for: 3s, fault: postgres_lock, service: postgres, table: participants }"

    table: Annotated[str, Field(pattern=rf"^{_PART}(\.{_PART})?$", max_length=130)]
    mode: Mode = "ACCESS EXCLUSIVE"
    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        return Forecast(
            f"table {self.table} of {self.target} locked in mode {self.mode}",
            "end the session that holds the lock",
            "deadlocks: no session is chosen as a victim, all of them wait",
        )

    def undo_fields(self) -> Mapping[str, Json]:
        return {**super().undo_fields(), "seconds": postgres.lease_seconds(self.for_)}

    async def read_one(self, store: Store[LockUndo]) -> StoreRow:
        if await postgres.ask(store, "table", table=self.table) != "t":
            raise FaultFailed(f"`{store.container.name}` has no table `{self.table}`")
        return StoreRow(replica=store.replica)

    async def inject_one(self, store: Store[LockUndo]) -> None:
        statement = f"LOCK TABLE {self.table} IN {self.mode} MODE"
        await postgres.hold(store, "lock", str(store.undo.seconds), statement)
        receipt = await self.until_in_force(store, _PATIENCE)
        if not receipt.holds:
            raise FaultFailed(f"`{self.table}` could not be locked within {_PATIENCE:.0f} s")

    @classmethod
    async def verify_one(cls, store: Store[LockUndo]) -> Receipt:
        table, mode = store.undo.table, store.undo.mode
        name = mode.title().replace(" ", "") + "Lock"
        found = await postgres.ask(store, "locked", table=table, mode=name, holder=store.holder)
        if found == "0":
            return Receipt(False, f"{table} is not locked by `{store.holder}`")
        return Receipt(True, f"{table} is locked in mode {mode} by `{store.holder}`")

    @classmethod
    async def heal_one(cls, store: Store[LockUndo]) -> None:
        await postgres.release(store)

    @classmethod
    async def verify_healed_one(cls, store: Store[LockUndo]) -> Receipt:
        left = await postgres.held(store)
        return Receipt(left == 0, f"{left} sessions hold the lock")

    async def effect(self, stack: Stack, undo: LockUndo) -> Receipt:
        """Ask for the weakest lock that it keeps others from, and count who waits for it."""
        refused, waiting = True, 0
        for store in await stores_of(stack, undo):
            mode = _BLOCKS[self.mode]
            done = await postgres.attempt(store, "try_lock", table=self.table, mode=mode)
            refused = refused and done.status != 0 and "55P03" in done.err
            waiting += int(await postgres.ask(store, "waiting", holder=store.holder))
        what = f"a lock in mode {_BLOCKS[self.mode]} on {self.table}"
        said = f"{what} was not to be had (55P03)" if refused else f"{what} was granted"
        return Receipt(refused, f"{said}, {waiting} sessions waited for it")
