"""`postgres_terminate`: every session of a database ended by the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import postgres
from chaoskit.faults.engines.stores import StoreFault

if TYPE_CHECKING:
    from chaoskit.faults.engines.stores import Place
    from chaoskit.records import Json


@fault("postgres_terminate")
class PostgresTerminate(StoreFault):
    """End all sessions of a database, as an administrator's restart of it would.

    Clients see an error in the middle of what they do, and transactions roll back; they may connect
    again at once. `database` is by default the one that the image was set up with.
    """

    example = "{ at: 2s, fault: postgres_terminate, service: postgres, database: chat }"
    instant: ClassVar[bool] = True

    database: Annotated[str | None, Field(min_length=1, max_length=63)] = None

    def forecast(self) -> Forecast:
        return Forecast(
            f"every session of {self.database or 'the database'} of {self.target} terminated",
            "nothing: clients connect again by themselves",
            "a Postgres that is gone: it accepts new connections all the time",
        )

    def told(self) -> Mapping[str, Json]:
        return {"database": self.database}

    async def read(self, place: Place) -> Mapping[str, Json]:
        found = await postgres.sessions(place)
        if not found:
            raise FaultFailed(f"nobody else has a session on `{place.container.name}`")
        return {"sessions": sorted(found)}

    async def act(self, place: Place) -> None:
        await postgres.end_sessions(place)

    @classmethod
    async def shown(cls, place: Place) -> Receipt:
        before = set(place.row["sessions"])
        left = before & await postgres.sessions(place)
        return Receipt(not left, f"{len(before) - len(left)} of {len(before)} sessions ended")

    @classmethod
    async def lift(cls, place: Place) -> None:
        """Clients connect again by themselves."""

    @classmethod
    async def lifted(cls, place: Place) -> Receipt:
        return Receipt(True, f"{len(await postgres.sessions(place))} sessions are open")
