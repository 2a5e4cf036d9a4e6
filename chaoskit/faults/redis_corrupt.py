"""`redis_corrupt`: keys that hold something else than what was written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow

MOST = 1000  # keys of one store


class CorruptRow(StoreRow):
    """How many keys match."""

    found: int


class CorruptUndo(RedisUndo[CorruptRow]):
    """The keys to replace."""

    keys: str


@fault("redis_corrupt")
class RedisCorrupt(StoreFault[CorruptUndo]):
    """Replace the values of matching keys by garbage; the heal brings the true values back.

    `how: garbage` keeps each key's type, `how: wrong-type` does not (a string becomes a list,
    anything else a string). Time to live stays. The true values wait in the same Redis under names
    that start with `chaoskit:`; a key that the application writes again or deletes meanwhile stays
    as the application left it. At most 1000 keys.
    """

    undo_model = CorruptUndo
    example = "{ at: 2s, for: 5s, fault: redis_corrupt, service: redis, keys: 'chat:*' }"
    lasting = True
    alone = True

    keys: Annotated[str, Field(min_length=1, max_length=500)]
    how: Literal["garbage", "wrong-type"] = "garbage"
    db: Annotated[int, Field(ge=0, le=9999)] = 0

    def forecast(self) -> Forecast:
        what = "garbage" if self.how == "garbage" else "values of the wrong type"
        return Forecast(
            f"the keys `{self.keys}` of {self.target} hold {what}",
            "give every key that still holds it its true value and time to live",
            "torn or damaged files: the server itself is well",
        )

    async def read_one(self, store: Store[CorruptUndo]) -> CorruptRow:
        found = await redis.pages(store, "count", self.keys)
        if found == 0:
            raise FaultFailed(f"`{store.container.name}` holds no key `{self.keys}`")
        if found > MOST:
            raise FaultFailed(
                f"`{store.container.name}` holds {found} keys `{self.keys}`, more than {MOST}"
            )
        return CorruptRow(replica=store.replica, found=found)

    async def inject_one(self, store: Store[CorruptUndo]) -> None:
        await redis.pages(store, "poison", _saved(store), self.keys, self.how, str(MOST))

    @classmethod
    async def verify_one(cls, store: Store[CorruptUndo]) -> Receipt:
        found = await redis.pages(store, "poisoned", _saved(store), "poisoned")
        return Receipt(found > 0, f"{found} of {store.undo.of(store).found} keys hold garbage")

    @classmethod
    async def heal_one(cls, store: Store[CorruptUndo]) -> None:
        await redis.pages(store, "restore", _saved(store))

    @classmethod
    async def verify_healed_one(cls, store: Store[CorruptUndo]) -> Receipt:
        left = await redis.pages(store, "poisoned", _saved(store), "saved")
        return Receipt(left == 0, f"{left} keys hold garbage")


def _saved(store: Store[CorruptUndo]) -> str:
    return f"{redis.OURS}{store.undo.fault}:"
