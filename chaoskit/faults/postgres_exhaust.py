"""`postgres_exhaust`: no free connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.stores import StoreFault, refused
from chaoskit.text import last_words

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json

_PATIENCE = 30.0
_POLL = 0.1


@fault("postgres_exhaust")
class PostgresExhaust(StoreFault):
    """Take every free connection of a Postgres: new ones are refused, open ones live on.

    `leave` keeps so many free. The connections are taken as the image's superuser, so those that
    are reserved for superusers go too; one that becomes free meanwhile is taken as well.
    """

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

    def told(self) -> Mapping[str, Json]:
        return {
            "database": self.database,
            "leave": self.leave,
            "seconds": postgres.lease_seconds(self.for_),
        }

    async def read(self, place: Place) -> Mapping[str, Json]:
        free = int(await postgres.ask(place, postgres.FREE))
        if free <= self.leave:
            raise FaultFailed(f"`{place.container.name}` has only {free} free connections")
        return {"free": free}

    async def act(self, place: Place) -> None:
        seconds, leave = str(place.undo["seconds"]), str(self.leave)
        await postgres.hold(place, postgres.EXHAUST, seconds, leave)
        receipt = await until(
            lambda: self.shown(place), met=lambda shown: shown.holds, within=_PATIENCE, every=_POLL
        )
        if not receipt.holds:
            raise FaultFailed(f"after {_PATIENCE:.0f} s: {receipt.detail}")

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        done = await postgres.attempt(place, postgres.FREE)
        if done.status == 0:
            free, leave = int(done.out), place.undo["leave"]
            mine = await postgres.attempt(place, postgres.OURS, holder=place.holder)
            count = int(mine.out) if mine.status == 0 else 0
            # It takes what becomes free within a moment; what it leaves, others may take.
            return Receipt(count > 0 and free <= leave, f"{count} taken, {free} connections free")
        if any(word in done.err for word in postgres.FULL):
            words = done.err.strip().rpartition("FATAL:")[2].strip()
            return Receipt(True, f"a new connection is refused: {words} (53300)")
        raise refused(done, "psql", place)

    @classmethod
    async def lift(cls, place: Place) -> None:
        await postgres.release(place)

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        done = await postgres.attempt(place, postgres.OURS, holder=place.holder)
        if done.status != 0:
            return Receipt(False, f"it cannot be asked: {last_words(done.err, 200)}")
        return Receipt(done.out.strip() == "0", f"{done.out.strip()} connections of it are open")
