"""`redis_pause`: a Redis that keeps its connections and does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING, Literal

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow

if TYPE_CHECKING:
    from chaoskit.records import Json

_LONGEST = 3600  # seconds a pause lasts when no lease bounds it
_MARGIN = 30  # seconds a pause outlasts its lease: the heal ends it, however busy we are
_PATIENCE = 10.0
_SOON = 3  # tenths of a second in which a server that is not paused has answered
_LATE = 20  # and in which it has at the latest, where the machine is busy
# PUBLISH is held back by both modes and changes nothing; PING only by `all`.
_CANARY = {"all": ("PING",), "write": ("PUBLISH", f"{redis.OURS}canary", "")}


Mode = Literal["all", "write"]


class PauseUndo(RedisUndo):
    """What is held back, and for how many seconds at most."""

    mode: Mode
    seconds: int


@fault("redis_pause")
class RedisPause(StoreFault[PauseUndo]):
    """Stop a Redis from answering (CLIENT PAUSE): commands wait until it is healed.

    `mode: write` holds back only what writes or publishes. Connections are accepted and stay open,
    nothing is lost: what waited is executed at the heal, in order, unless its client has gone.
    Needs Redis 6.2.
    """

    undo_model = PauseUndo
    example = "{ at: 2s, for: 3s, fault: redis_pause, service: redis, mode: all }"
    alone = True

    mode: Mode = "all"

    def restarts_services(self) -> list[str]:
        return [self.service] if self.mode == "all" else []  # its health check waits too

    def forecast(self) -> Forecast:
        what = "every command" if self.mode == "all" else "every write"
        return Forecast(
            f"{what} to {self.target} waits",
            "CLIENT UNPAUSE; what waited is executed",
            "a frozen process: timeouts and replication go on inside the server",
        )

    def undo_fields(self) -> Mapping[str, Json]:
        seconds = _LONGEST if self.for_ is None else ceil(self.for_) + _MARGIN
        return {**super().undo_fields(), "seconds": seconds}

    async def read_one(self, store: Store[PauseUndo]) -> StoreRow:
        if await redis.silent(store, _LATE, *_CANARY[self.mode]):
            raise FaultFailed(f"`{store.container.name}` does not answer even before the fault")
        return StoreRow(replica=store.replica)

    async def inject_one(self, store: Store[PauseUndo]) -> None:
        await redis.hold_pause(store, self.mode, store.undo.seconds)
        receipt = await self.until_in_force(store, _PATIENCE)
        if not receipt.holds:
            raise FaultFailed(f"`{store.container.name}` cannot be paused: {receipt.detail}")

    @classmethod
    async def verify_one(cls, store: Store[PauseUndo]) -> Receipt:
        return await _looked(store, _SOON)

    @classmethod
    async def heal_one(cls, store: Store[PauseUndo]) -> None:
        await store.release("USR1")
        if (await _looked(store, _LATE)).holds and await redis.silent(
            store, _LATE, "CLIENT", "UNPAUSE"
        ):
            raise FaultFailed(
                f"`{store.container.name}` is still paused; that ends by itself within"
                f" {store.undo.seconds} s of its start"
            )

    @classmethod
    async def verify_healed_one(cls, store: Store[PauseUndo]) -> Receipt:
        shown = await _looked(store, _LATE)
        return Receipt(not shown.holds, shown.detail)


async def _looked(store: Store[PauseUndo], tenths: int) -> Receipt:
    what = _CANARY[store.undo.mode]
    if await redis.silent(store, tenths, *what):
        return Receipt(True, f"{what[0]} inside the container: no answer in {tenths / 10:g}s")
    return Receipt(False, f"{what[0]} inside the container is answered")
