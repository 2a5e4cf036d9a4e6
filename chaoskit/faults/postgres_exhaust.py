"""`postgres_exhaust`: no free connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.postgres import PostgresUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow

if TYPE_CHECKING:
    from chaoskit.records import Json

_PATIENCE = 30.0


class ExhaustRow(StoreRow):
    """How many connections were free."""

    free: int


class ExhaustUndo(PostgresUndo[ExhaustRow]):
    """How many connections are left free, and for how many seconds the others are taken at most."""

    leave: int
    seconds: int


@fault("postgres_exhaust")
class PostgresExhaust(StoreFault[ExhaustUndo]):
    """Take every free connection of a Postgres: new ones are refused, open ones live on.

    `leave` keeps so many free. The connections are taken as the image's superuser, so those that
    are reserved for superusers go too; one that becomes free meanwhile is taken as well.
    """

    undo_model = ExhaustUndo
    example = "{ at: 2s, for: 5s, fault: postgres_exhaust, service: postgres, leave: 0 }"

    leave: Annotated[int, Field(ge=0, le=10_000)] = 0
    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def restarts_services(self) -> Sequence[str]:
        return [self.service]  # a health check that logs in is refused as well

    def forecast(self) -> Forecast:
        what = "every free connection" if not self.leave else f"all but {self.leave} connections"
        return Forecast(
            f"{what} of {self.target} taken",
            "close them again",
            "load: the connections that are taken do nothing",
        )

    def undo_fields(self) -> Mapping[str, Json]:
        return {**super().undo_fields(), "seconds": postgres.lease_seconds(self.for_)}

    async def read_one(self, store: Store[ExhaustUndo]) -> ExhaustRow:
        free = int(await postgres.ask(store, "free"))
        if free <= self.leave:
            raise FaultFailed(f"`{store.container.name}` has only {free} free connections")
        return ExhaustRow(replica=store.replica, free=free)

    async def inject_one(self, store: Store[ExhaustUndo]) -> None:
        seconds, leave = str(store.undo.seconds), str(self.leave)
        await postgres.hold(store, "exhaust", seconds, leave)
        receipt = await self.until_in_force(store, _PATIENCE)
        if not receipt.holds:
            raise FaultFailed(f"after {_PATIENCE:.0f} s: {receipt.detail}")

    @classmethod
    async def verify_one(cls, store: Store[ExhaustUndo]) -> Receipt:
        done = await postgres.attempt(store, "free")
        if done.status == 0:
            free, leave = int(done.out), store.undo.leave
            mine = await postgres.attempt(store, "held", holder=store.holder)
            count = int(mine.out) if mine.status == 0 else 0
            # It takes what becomes free within a moment; what it leaves, others may take.
            return Receipt(count > 0 and free <= leave, f"{count} taken, {free} connections free")
        if any(word in done.err for word in postgres.FULL):
            words = done.err.strip().rpartition("FATAL:")[2].strip()
            return Receipt(True, f"a new connection is refused: {words} (53300)")
        raise postgres.no_answer(done, "psql", store)

    @classmethod
    async def heal_one(cls, store: Store[ExhaustUndo]) -> None:
        await postgres.release(store)

    @classmethod
    async def verify_healed_one(cls, store: Store[ExhaustUndo]) -> Receipt:
        done = await postgres.attempt(store, "held", holder=store.holder)
        if done.status != 0:
            return Receipt(False, postgres.no_answer(done, "psql", store).message)
        return Receipt(done.out.strip() == "0", f"{done.out.strip()} connections of it are open")
