"""Every store fault on real Redis and Postgres: felt by a real client, and gone without a trace."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaoskit.docker.client import Engine
from chaoskit.errors import FaultFailed
from chaoskit.faults import REGISTRY, Fault
from chaoskit.faults.contract import Undo
from chaoskit.stack.stack import Stack
from tests.compose_project import LAB, docker
from tests.contract.real_servers import LOCAL, container, eventually, published
from tests.fakes.stored_undo import stored

SECRET = "contract-secret"
PROJECT = f"contract-{uuid.uuid4().hex[:8]}"


def labels(service: str, replica: int = 1) -> list[str]:
    pairs = {"project": PROJECT, "service": service, "container-number": replica}
    return [
        word
        for name, text in pairs.items()
        for word in ("--label", f"com.docker.compose.{name}={text}")
    ]


def made(kind: str, **fields: Any) -> Fault:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.model_validate({"fault": kind, **fields})


@dataclass
class Store:
    """One real store, as the run's stack sees it."""

    service: str
    container: str
    port: int
    engine: Engine

    async def stack(self) -> Stack:
        """A stack attached afresh, as another process would have it."""
        stack = Stack(self.engine, PROJECT)
        await stack.attach()
        return stack

    async def inject(self, fault: Fault) -> Undo:
        """Inject it; return the undo as it comes back from the ledger."""
        stack = await self.stack()
        undo: Undo = await fault.prepare(stack)
        assert SECRET not in undo.model_dump_json()
        assert not (await fault.verify_injected(stack, undo)).holds
        try:
            await fault.inject(stack, undo)
            receipt = await fault.verify_injected(stack, undo)
            assert receipt.holds, receipt.detail
        except BaseException:
            await fault.heal(stack, undo)  # other tests use the same store
            raise
        return stored(undo)

    async def heal(self, fault: Fault, undo: Undo) -> None:
        """Heal it twice from another process."""
        for _ in range(2):
            stack = await self.stack()
            await type(fault).heal(stack, undo)
            receipt = await type(fault).verify_healed(stack, undo)
            assert receipt.holds, receipt.detail

    async def effect(self, fault: Fault, undo: Undo) -> str:
        receipt = await fault.effect(await self.stack(), undo)
        assert receipt is not None
        assert receipt.holds, receipt.detail
        return receipt.detail

    def processes(self) -> list[str]:
        return [
            row for row in docker("top", self.container, "-eo", "pid,args").splitlines()[1:]
            if "chaoskit" in row or "sleep" in row or "psql" in row or "redis-cli" in row
        ]  # fmt: skip


# -- redis -----------------------------------------------------------------------------------------


@contextmanager
def run_redis(service: str) -> Iterator[str]:
    command = ["redis-server", "--bind", "*", "--save", "", "--requirepass", SECRET]
    command += ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"]
    ping = f"REDISCLI_AUTH={SECRET} redis-cli ping || true"
    with container(*labels(service), "--publish", f"{LOCAL}::6379", LAB, *command) as started:
        eventually("redis answers", lambda: "PONG" in docker("exec", started, "sh", "-c", ping))
        yield started


@pytest.fixture(scope="module")
def redis_container() -> Iterator[str]:
    with run_redis("redis") as started:
        yield started


@pytest.fixture
async def cache(redis_container: str, engine: Engine) -> AsyncIterator[Store]:
    store = Store("redis", redis_container, published(redis_container, 6379), engine)
    with client(store) as one:
        one.flushall()
    yield store
    assert store.processes() == []


@contextmanager
def client(store: Store, **more: Any) -> Iterator[redis.Redis]:
    options: dict[str, Any] = {"socket_timeout": 2, "retry": Retry(NoBackoff(), 0)}
    one = redis.Redis(LOCAL, store.port, password=SECRET, **{**options, **more})
    try:
        yield one
    finally:
        one.close()


def redis_world(one: redis.Redis) -> dict[str, Any]:
    """Everything but counters: settings, and every key with its value and time to live."""
    raw: Any = one  # its stubs leave this call untyped
    keys = sorted(one.keys("*"))
    return {
        "settings": one.config_get("*"),
        "keys": {key: (one.dump(key), raw.execute_command("PEXPIRETIME", key)) for key in keys},
    }


def fill(one: redis.Redis) -> None:
    one.set("chat:s", b"\x00text")
    one.set("chat:ttl", "soon gone", ex=500)
    one.rpush("chat:l", *range(3))
    one.sadd("chat:m", "a", "b")
    one.hset("chat:h", mapping={"name": "ann", "age": "7"})
    one.zadd("chat:z", {"a": 1.5})
    one.xadd("chat:x", {"user": "ann"})
    one.set("other", "stays")
    one.set("chat:we*ird\nkey", "1")


async def test_a_flush_empties_it(cache: Store) -> None:
    with client(cache) as one:
        fill(one)
        fault = made("redis_flush", service="redis")
        undo = await cache.inject(fault)
        assert one.dbsize() == 0
        receipt = await fault.verify_injected(await cache.stack(), undo)
        assert receipt.detail == "9 keys before, 0 after"
        await cache.heal(fault, undo)
        with pytest.raises(FaultFailed, match="nothing to lose"):
            await fault.prepare(await cache.stack())


RULES = ["on", f">{SECRET}", "~*", "&*", "+@all"]
USERS = f"user default off\nuser app on >other-{SECRET} ~* +@read\nuser ops {' '.join(RULES)}\n"
WITH_USERS = """
printf '%s' "$USERS" > /tmp/users.acl
printf 'aclfile "/tmp/users.acl"\\n' > /tmp/my.conf
exec redis-server $CONF --bind '*' --save ''
"""


@pytest.mark.parametrize("where", ["file", "command", "client"])
async def test_a_redis_with_users_is_asked_as_one_who_may(where: str, engine: Engine) -> None:
    service = f"acl-{where}"
    options = [*labels(service), "--publish", f"{LOCAL}::6379", "--env", f"USERS={USERS}"]
    command = ["sh", "-c", WITH_USERS.replace("$CONF", "/tmp/my.conf")]
    url = ""
    if where == "command":
        command = ["redis-server", "--bind", "*", "--save", "", "--user", "default", "off"]
        command += ["--user", "ops", *RULES]
    elif where == "client":  # and chaoskit does not find the file
        command, options = ["sh", "-c", WITH_USERS], [*options, "--env", "CONF=/tmp/my.conf"]
        url = f"redis://ops:{SECRET}@{service}:6379/0"
    web = [*labels("web"), "--env", f"URL={url}"]
    with (
        container(*options, LAB, *command) as one,
        container(*web, LAB, "sleep", "99"),
    ):
        store = Store(service, one, published(one, 6379), engine)
        with client(store, username="ops") as ours:
            eventually("redis answers", lambda: pings(ours))
            fill(ours)
            fault = made("redis_flush", service=service, keys="chat:*")
            await store.heal(fault, await store.inject(fault))
            assert ours.keys("*") == [b"other"]
            before = redis_world(ours)
            fault = made("redis_pause", service=service)
            await store.heal(fault, await store.inject(fault))
            assert redis_world(ours) == before


def pings(one: redis.Redis) -> bool:
    with suppress(redis.ConnectionError):
        return bool(one.ping())
    return False


async def test_a_flush_by_pattern_spares_the_rest(cache: Store) -> None:
    with client(cache) as one:
        fill(one)
        for number in range(3000):
            one.set(f"chat:{number}", "x")
        fault = made("redis_flush", service="redis", keys="chat:*")
        await cache.heal(fault, await cache.inject(fault))
        assert one.keys("*") == [b"other"]


@pytest.mark.parametrize("policy", [None, "noeviction"])
async def test_a_full_one_evicts_or_refuses(cache: Store, policy: str | None) -> None:
    with client(cache) as one:
        for number in range(400):
            one.set(f"k{number}", "x" * 20_000)
        before = one.config_get("*")
        fault = made("redis_evict", service="redis", maxmemory="3MiB", policy=policy)
        undo = await cache.inject(fault)
        if policy == "noeviction":
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                one.set("another", "x")
            assert one.dbsize() == 400
        else:
            one.set("another", "x")
            assert one.dbsize() < 300
        said = await cache.effect(fault, undo)
        evicted, refused = (int(number) for number in re.findall(r"\d+", said))
        assert (evicted > 100, refused) == ((True, 0) if policy is None else (False, 1))
        await cache.heal(fault, undo)
        assert one.config_get("*") == before
        one.set("another", "x")


async def test_an_eviction_that_evicts_nothing_is_not_felt(cache: Store) -> None:
    fault = made("redis_evict", service="redis", maxmemory="100MiB")
    undo = await cache.inject(fault)
    receipt = await fault.effect(await cache.stack(), undo)
    await cache.heal(fault, undo)
    assert receipt is not None
    assert not receipt.holds
    assert receipt.detail == "0 keys evicted, 0 writes refused for lack of memory"


@pytest.mark.parametrize("how", ["garbage", "wrong-type"])
async def test_poisoned_keys_are_read_and_come_back_whole(cache: Store, how: str) -> None:
    with client(cache) as one:
        fill(one)
        before = redis_world(one)
        types = {key: one.type(key) for key in before["keys"]}
        fault = made("redis_corrupt", service="redis", keys="chat:*", how=how)
        undo = await cache.inject(fault)
        assert one.get("other") == b"stays"
        assert 0 < one.ttl("chat:ttl") <= 500
        if how == "garbage":
            assert {key: one.type(key) for key in types} == types
            with client(cache, decode_responses=True) as reader, pytest.raises(UnicodeDecodeError):
                reader.get("chat:s")
            assert one.hgetall("chat:h").keys() == {b"name", b"age"}
            assert b"ann" not in one.hgetall("chat:h").values()
            assert one.llen("chat:l") == 3
        else:
            for read in (lambda: one.get("chat:s"), lambda: one.hgetall("chat:h")):
                with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
                    read()
        await cache.heal(fault, undo)
        assert redis_world(one) == before


async def test_what_the_application_wrote_anew_or_deleted_stays_its_own(cache: Store) -> None:
    with client(cache) as one:
        fill(one)
        fault = made("redis_corrupt", service="redis", keys="chat:*")
        undo = await cache.inject(fault)
        one.set("chat:s", "new")
        one.delete("chat:h")
        one.rpush("chat:l", "and more")  # still poisoned
        await cache.heal(fault, undo)
        assert one.get("chat:s") == b"new"
        assert one.exists("chat:h") == 0
        assert one.lrange("chat:l", 0, -1) == [b"0", b"1", b"2"]
        assert one.keys("chaoskit:*") == []


async def test_too_many_keys_are_not_poisoned(cache: Store) -> None:
    with client(cache) as one:
        one.mset({f"chat:{number}": "x" for number in range(1001)})
        fault = made("redis_corrupt", service="redis", keys="chat:*")
        with pytest.raises(FaultFailed, match="1001 keys"):
            await fault.prepare(await cache.stack())


@pytest.mark.parametrize("mode", ["all", "write"])
async def test_a_paused_one_does_not_answer_until_it_is_healed(cache: Store, mode: str) -> None:
    with client(cache) as one, client(cache, socket_timeout=0.5) as two:
        one.set("k", "v")
        before = redis_world(one)
        fault = made("redis_pause", service="redis", mode=mode, **{"for": "30s"})
        undo = await cache.inject(fault)
        with pytest.raises(redis.exceptions.TimeoutError):
            two.set("k", "late")
        if mode == "write":
            assert one.get("k") == b"v"
        else:
            with pytest.raises(redis.exceptions.TimeoutError):
                two.get("k")
        await cache.heal(fault, undo)
        assert one.get("k") == b"v"
        assert redis_world(one) == before


async def test_a_pause_that_nobody_heals_ends_by_itself(
    cache: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.faults.redis_pause._MARGIN", 2)
    with client(cache, socket_timeout=8) as one:
        fault = made("redis_pause", service="redis", **{"for": "500ms"})
        await cache.inject(fault)
        assert one.ping()
    eventually("its process has gone", lambda: not cache.processes())


def ping(connection: Any) -> object:
    connection.send_command("PING")
    return connection.read_response()


async def test_clients_lose_their_connections(cache: Store) -> None:
    with client(cache) as one:
        held = one.connection_pool.get_connection()
        assert ping(held) == b"PONG"
        fault = made("redis_kill_clients", service="redis")
        undo = await cache.inject(fault)
        with pytest.raises(redis.exceptions.ConnectionError):
            ping(held)
        one.connection_pool.release(held)
        await cache.heal(fault, undo)
        assert one.ping()


async def test_two_at_once_that_would_undo_each_other_are_refused(cache: Store) -> None:
    stack = await cache.stack()
    first = made("redis_evict", id="first", service="redis", maxmemory="100MiB")
    second = made("redis_evict", id="second", service="redis", maxmemory="90MiB")
    undo = await first.prepare(stack)
    await first.inject(stack, undo)
    with pytest.raises(FaultFailed, match="`first` is in force"):
        await second.prepare(stack)
    await first.heal(stack, undo)
    await second.prepare(stack)


# -- postgres --------------------------------------------------------------------------------------


@contextmanager
def run_postgres(service: str) -> Iterator[str]:
    options = ["--user", "postgres", "--env", f"POSTGRES_PASSWORD={SECRET}", "--env"]
    options += ["POSTGRES_USER=chat", "--publish", f"{LOCAL}::5432"]
    ready = "pg_isready -q -h 127.0.0.1 && echo yes || true"
    with container(*labels(service), *options, LAB, "start-postgres") as started:
        eventually("postgres answers", lambda: docker("exec", started, "sh", "-c", ready) == "yes")
        yield started


@pytest.fixture(scope="module")
def postgres_container() -> Iterator[str]:
    with run_postgres("postgres") as started:
        yield started


@pytest.fixture
async def database(postgres_container: str, engine: Engine) -> AsyncIterator[Store]:
    store = Store("postgres", postgres_container, published(postgres_container, 5432), engine)
    with session(store) as one:
        one.execute("DROP TABLE IF EXISTS members")
        one.execute("CREATE TABLE members (id int)")
        one.execute("INSERT INTO members VALUES (1)")
    started = docker("inspect", "-f", "{{.State.StartedAt}}", postgres_container)
    yield store
    eventually("its processes have gone", lambda: not store.processes())
    assert started == docker("inspect", "-f", "{{.State.StartedAt}}", postgres_container)
    log = docker("logs", postgres_container)
    assert "reinitializing" not in log, "the server believed that a session of its had crashed"


@contextmanager
def session(store: Store, **more: Any) -> Iterator[psycopg.Connection[Any]]:
    options = {"connect_timeout": 3, "autocommit": True, "user": "chat", **more}
    one = psycopg.connect(host=LOCAL, port=store.port, password=SECRET, dbname="chat", **options)
    try:
        yield one
    finally:
        with suppress(psycopg.Error):
            one.close()


def postgres_world(store: Store) -> dict[str, Any]:
    """Settings of server, databases and roles, the sessions, the tables and what they hold."""
    queries = {
        "settings": "SELECT name, setting, source FROM pg_settings "
        "WHERE name NOT IN ('application_name') AND source <> 'client' ORDER BY name",
        "roles": "SELECT * FROM pg_db_role_setting",
        "auto": "SELECT name, setting FROM pg_file_settings WHERE sourcefile ~ 'auto.conf'",
        "databases": "SELECT datname, datconnlimit, datallowconn FROM pg_database ORDER BY 1",
        "members": "SELECT * FROM members",
        "tables": "SELECT relname FROM pg_class ORDER BY 1",
        "locks": "SELECT mode FROM pg_locks WHERE relation = 'members'::regclass",
        "ours": "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^chaoskit'",
    }
    with session(store) as one:
        return {name: one.execute(query).fetchall() for name, query in queries.items()}


def refusal(store: Store, query: str) -> str | None:
    """Return the SQLSTATE with which a new session's statement is refused, None when it works."""
    try:
        with session(store) as one:
            one.execute(query)
    except psycopg.Error as error:
        return error.sqlstate or str(error)
    return None


WRITE = "INSERT INTO members VALUES (1); DELETE FROM members; INSERT INTO members VALUES (1)"


async def test_every_session_is_ended(database: Store) -> None:
    before = postgres_world(database)
    with session(database) as one, session(database) as two:
        fault = made("postgres_terminate", service="postgres")
        undo = await database.inject(fault)
        for each in (one, two):
            with pytest.raises(psycopg.OperationalError):
                each.execute("SELECT 1")
        receipt = await fault.verify_injected(await database.stack(), undo)
        assert receipt.detail == "2 of 2 sessions ended"
    await database.heal(fault, undo)
    assert postgres_world(database) == before
    with pytest.raises(FaultFailed, match="no other client has a session"):
        await fault.prepare(await database.stack())


@pytest.mark.parametrize("pgbench", [True, False])
async def test_no_connection_is_free(database: Store, pgbench: bool) -> None:
    before = postgres_world(database)
    tool = "/usr/lib/postgresql/17/bin/pgbench"
    if not pgbench:
        docker("exec", "--user", "root", database.container, "mv", tool, f"{tool}.away")
    try:
        fault = made("postgres_exhaust", service="postgres", **{"for": "20s"})
        with session(database) as one:
            undo = await database.inject(fault)
            assert refusal(database, "SELECT 1") is not None
            one.execute("SELECT 1")  # an open one lives on
        # What became free is taken as well.
        await asyncio.sleep(1)
        for _ in range(3):
            words = r"too many clients|reserved"
            with pytest.raises(psycopg.OperationalError, match=words), session(database):
                pass
        await database.heal(fault, undo)
    finally:
        if not pgbench:
            docker("exec", "--user", "root", database.container, "mv", f"{tool}.away", tool)
    assert postgres_world(database) == before


async def test_as_many_connections_are_left_as_were_asked_for(database: Store) -> None:
    fault = made("postgres_exhaust", service="postgres", leave=3, **{"for": "20s"})
    undo = await database.inject(fault)
    with session(database), session(database):
        pass
    assert (await fault.verify_injected(await database.stack(), undo)).holds
    await database.heal(fault, undo)


@pytest.mark.parametrize("mode", ["ACCESS EXCLUSIVE", "SHARE"])
async def test_a_locked_table_makes_others_wait(database: Store, mode: str) -> None:
    before = postgres_world(database)
    fault = made("postgres_lock", service="postgres", table="members", mode=mode, **{"for": "20s"})
    undo = await database.inject(fault)
    soon = "SET lock_timeout = '300ms'; "
    read, write = soon + "SELECT * FROM members", soon + WRITE
    assert refusal(database, write) == "55P03"
    assert refusal(database, read) == ("55P03" if mode == "ACCESS EXCLUSIVE" else None)
    said = await database.effect(fault, undo)
    assert said.endswith("was not to be had (55P03), 0 sessions waited for it")
    with session(database) as one:
        waiting = asyncio.create_task(asyncio.to_thread(one.execute, "SET lock_timeout = 0"))
        await waiting
        waiting = asyncio.create_task(asyncio.to_thread(one.execute, "DELETE FROM members"))
        await asyncio.sleep(0.3)
        assert (await database.effect(fault, undo)).endswith("1 sessions waited for it")
        await database.heal(fault, undo)
        await waiting
        one.execute("INSERT INTO members VALUES (1)")
    assert postgres_world(database) == before


@pytest.mark.parametrize("table", ["nothing", "pg_class"])
async def test_only_tables_of_the_application_can_be_locked(database: Store, table: str) -> None:
    fault = made("postgres_lock", service="postgres", table=table)
    with pytest.raises(FaultFailed, match=f"no table `{table}`"):
        await fault.prepare(await database.stack())


async def test_writes_are_refused_in_open_and_new_sessions(database: Store) -> None:
    before = postgres_world(database)
    fault = made("postgres_read_only", service="postgres")
    with session(database) as one:
        undo = await database.inject(fault)
        assert refusal(database, WRITE) == "25006"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            one.execute("INSERT INTO members VALUES (2)")
        assert one.execute("SELECT id FROM members").fetchall() == [(1,)]
        assert await database.effect(fault, undo) == "a write in a new session is refused (25006)"
        await database.heal(fault, undo)
        one.execute("INSERT INTO members VALUES (2)")  # the same session
        one.execute("DELETE FROM members WHERE id = 2")
    assert refusal(database, WRITE) is None
    assert postgres_world(database) == before


async def test_one_database_is_read_only_and_its_previous_setting_comes_back(
    database: Store,
) -> None:
    with session(database) as one:
        one.execute("ALTER DATABASE chat SET default_transaction_read_only = 'off'")
        one.execute("ALTER DATABASE chat SET work_mem = '5MB'")
    before = postgres_world(database)
    fault = made("postgres_read_only", service="postgres", database="chat")
    undo = await database.inject(fault)
    assert refusal(database, WRITE) == "25006"
    await database.heal(fault, undo)
    assert refusal(database, WRITE) is None
    assert postgres_world(database) == before
    with session(database) as one:
        one.execute("ALTER DATABASE chat RESET ALL")


# -- both ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("socket", ["/tmp", ""])
async def test_a_postgres_is_asked_where_it_says_it_listens(socket: str, engine: Engine) -> None:
    service = f"database-{'elsewhere' if socket else 'without'}"
    options = ["--user", "postgres", "--env", f"POSTGRES_PASSWORD={SECRET}"]
    options += ["--env", "POSTGRES_USER=chat"]
    command = ["start-postgres", "-c", f"unix_socket_directories={socket}", "-c", "port=5433"]
    ready = "pg_isready -q -h 127.0.0.1 -p 5433 && echo yes || true"
    with container(*labels(service), *options, LAB, *command) as one:
        eventually("postgres answers", lambda: docker("exec", one, "sh", "-c", ready) == "yes")
        store = Store(service, one, 0, engine)
        fault = made("postgres_read_only", service=service)
        await store.heal(fault, await store.inject(fault))


async def test_a_service_that_is_no_store_of_that_kind_is_refused_with_words(
    cache: Store, database: Store
) -> None:
    docker("exec", "--user", "root", cache.container, "true")
    with pytest.raises(FaultFailed, match="psql"):
        await made("postgres_terminate", service="redis").prepare(await cache.stack())
    with pytest.raises(FaultFailed, match="no Redis can be asked at port 6379"):
        await made("redis_flush", service="postgres").prepare(await database.stack())


async def test_a_store_that_went_down_took_what_was_held_with_it(engine: Engine) -> None:
    with run_redis("cache-2") as one, run_postgres("database-2") as two:
        cache, database = Store("cache-2", one, 0, engine), Store("database-2", two, 0, engine)
        docker("exec", two, "psql", "-U", "chat", "-c", "CREATE TABLE members ()")
        lock = made("postgres_lock", service="database-2", table="members", **{"for": "60s"})
        pause = made("redis_pause", service="cache-2", **{"for": "60s"})
        locked, paused = await database.inject(lock), await cache.inject(pause)
        docker("kill", one, two)
        await database.heal(lock, locked)
        await cache.heal(pause, paused)


async def test_what_outlives_a_store_is_healed_when_it_is_back(engine: Engine) -> None:
    with run_postgres("database-3") as one:
        database = Store("database-3", one, 0, engine)
        fault = made("postgres_read_only", service="database-3")
        undo = await database.inject(fault)
        docker("pause", one)
        with pytest.raises(FaultFailed, match="paused"):
            await fault.heal(await database.stack(), undo)
        docker("unpause", one)
        docker("kill", one)
        with pytest.raises(FaultFailed, match="exited"):
            await fault.heal(await database.stack(), undo)
        docker("start", one)
        ready = "pg_isready -q -h 127.0.0.1 && echo yes || true"
        eventually("postgres answers", lambda: docker("exec", one, "sh", "-c", ready) == "yes")
        await database.heal(fault, undo)


async def test_commands_of_the_author_are_run_proven_and_undone(cache: Store) -> None:
    fault = made(
        "exec",
        service="redis",
        inject="touch /tmp/broken && echo done",
        verify=["test", "-e", "/tmp/broken"],
        heal="rm -f /tmp/broken",
    )
    undo = await cache.inject(fault)
    assert docker("exec", cache.container, "ls", "/tmp/broken") == "/tmp/broken"
    await cache.heal(fault, undo)
    slow = made("exec", service="redis", inject="sleep 3", verify="false", timeout="500ms")
    stack = await cache.stack()
    with pytest.raises(FaultFailed, match="did not end within 500ms"):
        await slow.inject(stack, await slow.prepare(stack))
    missing = made("exec", service="redis", inject="true", verify=["nothing-of-this-name"])
    with pytest.raises(FaultFailed, match="nothing-of-this-name"):
        await missing.prepare(stack)
    eventually("the slow one has gone", lambda: not cache.processes())
