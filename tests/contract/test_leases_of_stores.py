"""How long a fault of a store is in force: for its `for`, whatever looking at it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from chaoskit.clock import Clock
from chaoskit.docker.client import Engine
from chaoskit.record.events import FaultHealed, FaultInjected, FaultRechecked
from chaoskit.run.injector import Injection, Injector
from tests.compose_project import docker
from tests.contract.real_servers import published
from tests.contract.test_store_faults import (
    Store,
    client,
    made,
    run_postgres,
    run_redis,
)


class Nothing:
    """A ledger, a guard: they take what they are told."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_more: None


class Events:
    """What was recorded, and when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seen: list[tuple[float, object]] = []

    def emit(self, event: object, t: float | None = None) -> None:
        self.seen.append((self._clock.now() if t is None else t, event))

    def one(self, kind: type) -> float:
        return next(t for t, event in self.seen if isinstance(event, kind))


async def in_force(store: Store, kind: str, **fields: Any) -> Events:
    clock = Clock()
    events, nothing = Events(clock), cast("Any", Nothing())
    injector = Injector(await store.stack(), nothing, nothing, cast("Any", events), clock)
    fault = made(kind, service=store.service, **{"for": "1s"}, **fields)

    async def at_once() -> None:
        return None

    await injector.run(Injection(fault), at_once, asyncio.Event())
    return events


@pytest.fixture(scope="module")
def stores() -> Iterator[dict[str, str]]:
    with run_redis("lease-redis") as redis, run_postgres("lease-postgres") as postgres:
        with client(Store("", redis, published(redis, 6379), cast("Any", None))) as one:
            one.set("chat:1", "x")
        docker("exec", postgres, "psql", "-U", "chat", "-c", "CREATE TABLE members ()")
        yield {"redis": redis, "postgres": postgres}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("redis_pause", {}),
        ("redis_pause", {"mode": "write"}),
        ("redis_evict", {"maxmemory": "90MiB"}),
        ("redis_corrupt", {"keys": "chat:*"}),
        ("postgres_lock", {"table": "members"}),
        ("postgres_exhaust", {}),
        ("postgres_read_only", {}),
    ],
)
async def test_a_fault_of_a_store_is_in_force_for_as_long_as_it_says(
    kind: str, fields: dict[str, Any], engine: Engine, stores: dict[str, str]
) -> None:
    service = kind.partition("_")[0]
    store = Store(f"lease-{service}", stores[service], 0, engine)
    events = await in_force(store, kind, **fields)
    seconds = events.one(FaultHealed) - events.one(FaultInjected)
    looked = events.one(FaultRechecked) - events.one(FaultInjected)
    print(f"{kind} {fields}: {seconds:.2f} s, looked again after {looked:.2f} s")
    assert 1.0 <= seconds < 3.0
