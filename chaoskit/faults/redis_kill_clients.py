"""`redis_kill_clients`: the server closes every client's connection."""

from __future__ import annotations

from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import redis
from chaoskit.faults.engines.redis import RedisUndo
from chaoskit.faults.engines.stores import Store, StoreFault, StoreRow


class KillRow(StoreRow):
    """The ids of the clients that were connected."""

    clients: tuple[str, ...]


KillUndo = RedisUndo[KillRow]


@fault("redis_kill_clients")
class RedisKillClients(StoreFault[KillUndo]):
    """Close the connections of all ordinary clients of a Redis; they may connect again at once.

    Subscribers and replicas keep theirs.
    """

    undo_model = KillUndo
    example = "{ at: 2s, fault: redis_kill_clients, service: redis }"
    instant = True

    def forecast(self) -> Forecast:
        return Forecast(
            f"the connections of all ordinary clients of {self.target} closed by the server",
            "nothing: clients connect again by themselves",
            "a Redis that is gone: it accepts new connections all the time",
        )

    async def read_one(self, store: Store[KillUndo]) -> KillRow:
        found = await redis.connections(store)
        if not found:
            raise FaultFailed(f"no client is connected to `{store.container.name}`")
        return KillRow(replica=store.replica, clients=tuple(sorted(found)))

    async def inject_one(self, store: Store[KillUndo]) -> None:
        await redis.ask(store, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    @classmethod
    async def verify_one(cls, store: Store[KillUndo]) -> Receipt:
        before = set(store.undo.of(store).clients)
        left = before & await redis.connections(store)
        return Receipt(not left, f"{len(before) - len(left)} of {len(before)} connections closed")

    @classmethod
    async def heal_one(cls, store: Store[KillUndo]) -> None:
        """Clients connect again by themselves."""

    @classmethod
    async def verify_healed_one(cls, store: Store[KillUndo]) -> Receipt:
        return Receipt(True, f"{len(await redis.connections(store))} clients are connected")
