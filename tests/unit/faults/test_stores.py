"""Faults inside stores: their bounds, their secrets, and what they do when things go wrong."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from chaoskit.docker.exec import ExecResult
from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.faults import REGISTRY, Fault
from chaoskit.faults.engines.postgres import no_answer
from chaoskit.faults.engines.stores import Store, StoreUndo
from tests.fakes.fake_world import World, container

REDIS = {"service": "redis"}
POSTGRES = {"service": "postgres"}


def fault(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, **fields})


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("redis_flush", {}, "service"),
        ("redis_flush", {**REDIS, "keys": ""}, "at least 1"),
        ("redis_flush", {**REDIS, "for": "1s"}, "takes no `for`"),
        ("redis_flush", {**REDIS, "db": -1}, "greater than or equal to 0"),
        ("redis_evict", REDIS, "maxmemory"),
        ("redis_evict", {**REDIS, "maxmemory": "0B"}, "greater than or equal to 1"),
        ("redis_evict", {**REDIS, "maxmemory": 5}, "expected a size"),
        ("redis_evict", {**REDIS, "maxmemory": "1MiB", "policy": "lru"}, "allkeys-lru"),
        ("redis_evict", {**REDIS, "maxmemory": "1MiB", "port": 0}, "greater than or equal to 1"),
        ("redis_corrupt", REDIS, "keys"),
        ("redis_corrupt", {**REDIS, "keys": "*", "how": "bad"}, "garbage"),
        ("redis_pause", {**REDIS, "mode": "read"}, "write"),
        ("redis_kill_clients", {**REDIS, "replica": 0}, "greater than or equal to 1"),
        ("postgres_exhaust", {**POSTGRES, "leave": -1}, "greater than or equal to 0"),
        ("postgres_lock", POSTGRES, "table"),
        ("postgres_lock", {**POSTGRES, "table": "a; DROP TABLE a"}, "pattern"),
        ("postgres_lock", {**POSTGRES, "table": '"a\\"'}, "pattern"),
        ("postgres_lock", {**POSTGRES, "table": "a.b.c"}, "pattern"),
        ("postgres_lock", {**POSTGRES, "table": "a", "mode": "exclusive"}, "ACCESS EXCLUSIVE"),
        ("postgres_read_only", {**POSTGRES, "database": ""}, "at least 1"),
        ("postgres_terminate", {**POSTGRES, "for": "1s"}, "takes no `for`"),
    ],
)
def test_it_refuses_what_makes_no_sense(kind: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        fault(kind, **fields)


SOCKET = 'psql: error: connection to server on socket "/run/.s.PGSQL.5432" failed: '


@pytest.mark.parametrize(
    ("status", "says", "means", "remedy"),
    [
        (
            2,
            f'{SOCKET}FATAL:  password authentication failed for user "app"',
            "log in",
            "SUPERUSER",
        ),
        (2, 'psql: FATAL:  role "app" does not exist', "log in", "POSTGRES_USER"),
        (2, f'{SOCKET}FATAL:  Peer authentication failed for user "app"', "log in", "superuser"),
        (2, f'{SOCKET}FATAL:  no pg_hba.conf entry for host "[local]"', "log in", "superuser"),
        (2, f"{SOCKET}fe_sendauth: no password supplied", "log in", "POSTGRES_PASSWORD"),
        (2, f'{SOCKET}FATAL:  database "shop" does not exist', "no such database", "`database`"),
        (
            2,
            f"{SOCKET}FATAL:  the database system is starting up",
            "starts or stops",
            "when it is up",
        ),
        (
            2,
            f"{SOCKET}FATAL:  sorry, too many clients already",
            "no connection left",
            "max_connections",
        ),
        (
            2,
            f"{SOCKET}No such file or directory\n\tIs the server running locally?",
            "be reached",
            "`port`",
        ),
        (
            2,
            'psql: error: connection to server at "db", port 1 failed: Connection refused',
            "reached",
            "PGPORT",
        ),
        (
            3,
            "psql:<stdin>:1: ERROR:  42501: permission denied for table a",
            "too few rights",
            "superuser",
        ),
    ],
)
def test_a_postgres_without_a_session_is_told_with_what_to_do_and_its_own_line(
    status: int, says: str, means: str, remedy: str
) -> None:
    store = cast("Store", SimpleNamespace(container=container("postgres")))
    said = no_answer(ExecResult(status, "", says + "\n"), "psql", store).message
    assert said.startswith("the Postgres of `run-1-postgres-1` ")
    assert means in said
    assert remedy.lower() in said.lower()
    assert says.splitlines()[0].rpartition(": ")[2] in said
    assert "psql: error" not in said


def test_a_statement_that_fails_is_told_as_ever() -> None:
    store = cast("Store", SimpleNamespace(container=container("postgres")))
    for error in ('42P01: relation "a" does not exist', "55P03: could not obtain lock on a"):
        done = ExecResult(3, "", f"psql:<stdin>:1: ERROR:  {error}")
        said = no_answer(done, "psql", store).message
        assert said == f"`run-1-postgres-1`: psql: psql:<stdin>:1: ERROR: {error}"
    assert no_answer(done, "psql", store).message.startswith(
        "`run-1-postgres-1`: psql: psql:<stdin>"
    )
    assert "no client for it" in no_answer(ExecResult(127, "", "refused"), "psql", store).message


@pytest.mark.parametrize("table", ["members", "app.members", '"Odd name"', 'app."Order"'])
def test_a_table_is_named_as_in_sql(table: str) -> None:
    assert fault("postgres_lock", table=table, **POSTGRES).forecast().hits.startswith("table ")


async def test_a_password_goes_to_the_client_but_never_into_the_undo(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("redis_evict", maxmemory="1MiB", **REDIS)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert {"CHAOSKIT_AUTH": "sesame"} in world.engine.exec.environments
    assert "sesame" not in undo.model_dump_json()


@pytest.mark.parametrize("id", ["short", "x" * 64])
async def test_what_holds_a_fault_has_a_name_that_postgres_keeps_whole(
    id: str, world: World
) -> None:
    undo = StoreUndo(fault=id, service="redis", port=None)
    one = Store(await world.stack(), container("redis"), undo)
    other = replace(one, undo=undo.model_copy(update={"fault": id[:-1] + "y"}))
    assert len(one.holder) <= 63
    assert one.holder.startswith(f"chaoskit-{id[:20]}")
    assert one.holder != other.holder


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("redis_flush", {**REDIS, "keys": "none:*"}),
        ("redis_corrupt", {**REDIS, "keys": "none:*"}),
        ("postgres_lock", {**POSTGRES, "table": "nothing"}),
        ("postgres_exhaust", {**POSTGRES, "leave": 200}),
    ],
)
async def test_what_would_hit_nothing_is_not_injected(
    kind: str, fields: dict[str, Any], world: World
) -> None:
    world.service(fields["service"])
    with pytest.raises(FaultFailed, match=r"holds no key|no table|free connections"):
        await fault(kind, **fields).prepare(await world.stack())
    assert world.fuse.changes == 0


async def test_a_flush_says_what_was_there_before_and_after(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("redis_flush", **REDIS)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert (await made.verify_injected(stack, undo)).detail == "3 keys before, 0 after"


async def test_an_eviction_is_felt_only_when_something_was_lost(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("redis_evict", maxmemory="1MiB", **REDIS)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    before = await made.effect(stack, undo)
    world.engine.exec.redis["id-run-1-redis-1"].evicted = 7
    after = await made.effect(stack, undo)
    assert before is not None
    assert not before.holds
    assert after is not None
    assert after.holds
    assert after.detail.startswith("7 keys evicted")


async def test_what_the_application_wrote_anew_is_not_overwritten_by_the_heal(
    world: World,
) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("redis_corrupt", keys="chat:*", **REDIS)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    keys = world.engine.exec.redis["id-run-1-redis-1"].keys
    keys["chat:1"] = "new"
    del keys["chat:2"]
    await made.heal(stack, undo)
    assert keys == {"chat:0": "true", "chat:1": "new"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("redis_evict", {**REDIS, "maxmemory": "1MiB"}),
        ("redis_corrupt", {**REDIS, "keys": "chat:*"}),
        ("redis_pause", REDIS),
        ("postgres_read_only", POSTGRES),
    ],
)
async def test_two_that_would_undo_each_other_do_not_overlap(
    kind: str, fields: dict[str, Any], world: World
) -> None:
    world.service(fields["service"])
    stack = await world.stack()
    first, second = fault(kind, id="first", **fields), fault(kind, id="second", **fields)
    undo = await first.prepare(stack)
    await first.inject(stack, undo)
    with pytest.raises(FaultFailed, match="`first` is in force: two"):
        await second.prepare(stack)
    await first.heal(stack, undo)
    await second.prepare(stack)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("redis_evict", {"maxmemory": "1MiB"}), ("redis_corrupt", {"keys": "*"})],
)
async def test_one_that_has_no_answer_names_the_pause_that_is_in_force(
    kind: str, fields: dict[str, Any], world: World
) -> None:
    world.service("redis")
    stack = await world.stack()
    pause = fault("redis_pause", id="held", **REDIS)
    await pause.inject(stack, await pause.prepare(stack))
    with pytest.raises(FaultFailed, match=r"no answer.* while `held` pauses it"):
        await fault(kind, **REDIS, **fields).prepare(stack)


async def test_one_that_could_not_be_prepared_keeps_no_other_from_it(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    with pytest.raises(FaultFailed, match="holds no key"):
        await fault("redis_corrupt", id="first", **REDIS, keys="none:*").prepare(stack)
    await fault("redis_corrupt", id="second", **REDIS, keys="chat:*").prepare(stack)


@pytest.mark.parametrize(
    ("kind", "fields", "heals"),
    [
        ("redis_pause", REDIS, True),
        ("redis_evict", {**REDIS, "maxmemory": "1MiB"}, True),
        ("postgres_lock", {**POSTGRES, "table": "participants"}, True),
        ("postgres_exhaust", POSTGRES, True),
        ("redis_corrupt", {**REDIS, "keys": "chat:*"}, False),
        ("postgres_read_only", POSTGRES, False),
    ],
)
async def test_what_dies_with_its_process_is_healed_by_its_death(
    kind: str, fields: dict[str, Any], heals: bool, world: World
) -> None:
    world.service(fields["service"])
    stack = await world.stack()
    made = fault(kind, **fields)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await world.engine.containers.stop(world.engine.of(fields["service"])[0].id)
    if heals:
        await made.heal(stack, undo)
        assert (await made.verify_healed(stack, undo)).holds
    else:
        with pytest.raises(FaultFailed, match="exited"):
            await made.heal(stack, undo)


@pytest.mark.parametrize("kind", ["redis_pause", "postgres_read_only"])
async def test_inside_a_frozen_container_nothing_can_be_healed(kind: str, world: World) -> None:
    service = kind.partition("_")[0]
    world.service(service)
    stack = await world.stack()
    made = fault(kind, service=service)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    await world.engine.containers.pause(world.engine.of(service)[0].id)
    with pytest.raises(FaultFailed, match="is paused"):
        await made.heal(stack, undo)


async def test_only_the_chosen_replica_is_hit(world: World) -> None:
    world.service("redis", replicas=2)
    stack = await world.stack()
    made = fault("redis_evict", maxmemory="1MiB", replica=2, **REDIS)
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert list(world.engine.exec.state()) == ["id-run-1-redis-2"]
    with pytest.raises(FaultFailed, match=r"redis\[3\]"):
        await fault("redis_evict", maxmemory="1MiB", replica=3, **REDIS).prepare(stack)


async def test_one_database_gets_its_previous_setting_back(world: World) -> None:
    world.service("postgres")
    stack = await world.stack()
    made = fault("postgres_read_only", database="chat", **POSTGRES)
    undo = await made.prepare(stack)
    store = world.engine.exec.postgres["id-run-1-postgres-1"]
    store.database = "off"
    undo = await made.prepare(stack)
    await made.inject(stack, undo)
    assert (store.database, store.system) == ("on", None)
    await made.heal(stack, undo)
    assert store.database == "off"
    assert store.sessions.isdisjoint({11, 12})


@pytest.mark.parametrize("mode", ["all", "write"])
def test_a_pause_outlasts_its_lease_by_little(mode: str) -> None:
    made = fault("redis_pause", mode=mode, **REDIS, **{"for": "2500ms"})
    fields = made.undo_fields()  # type: ignore[attr-defined]  # a StoreFault
    assert (fields["mode"], fields["seconds"]) == (mode, 33)
    assert list(made.restarts_services()) == (["redis"] if mode == "all" else [])


async def test_an_engine_that_is_gone_is_reported_as_such(world: World) -> None:
    world.service("redis")
    stack = await world.stack()
    made = fault("redis_evict", maxmemory="1MiB", **REDIS)
    undo = await made.prepare(stack)
    world.fuse.blows_at = world.fuse.changes + 1
    with pytest.raises(ChaoskitError, match="no answer"):
        await made.inject(stack, undo)
