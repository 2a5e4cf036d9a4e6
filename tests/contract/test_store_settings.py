"""How real stores are set: read twice it is the same, and what is set otherwise is named."""

from __future__ import annotations

from chaoskit.docker.client import Engine
from chaoskit.docker.images import toxiproxy_image
from chaoskit.run.store_settings import StoreSettings, store_settings
from chaoskit.stack.stack import Stack
from tests.compose_project import LAB, docker
from tests.contract.real_servers import container
from tests.contract.test_store_faults import PROJECT, SECRET, labels, run_postgres, run_redis

IN_POSTGRES = {
    "ALTER SYSTEM SET work_mem = '9MB'": ["work_mem in postgresql.auto.conf of set[1]"],
    "ALTER ROLE app SET search_path = none": [
        "settings of role app in database any of set[1]",
    ],
    "ALTER DATABASE chat CONNECTION LIMIT 3": ["limits of database chat of set[1]"],
    "ALTER ROLE app NOLOGIN": ["limits of role app of set[1]"],
}
IN_REDIS = {
    "CONFIG SET maxmemory 1mb": ["maxmemory of set[1]"],
    "CONFIG SET appendonly yes": ["appendonly of set[1]"],
    "ACL SETUSER guest on nopass": ["users of set[1]"],
    "CONFIG SET requirepass changed-by-hand": ["settings of set[1]"],
}


async def seen(engine: Engine) -> StoreSettings:
    """Read as a run does that has seen nothing of the stack yet."""
    stack = Stack(engine, PROJECT)
    await stack.attach()
    return await store_settings(stack)


async def test_whatever_is_set_in_redis_by_hand_is_named(engine: Engine) -> None:
    without_shell = await toxiproxy_image(engine.images)
    with (
        run_redis("set") as one,
        container(*labels("web"), LAB, "sleep", "99"),
        container(*labels("bare"), without_shell),
    ):
        before = await seen(engine)
        assert list(before.read) == ["set[1]"]
        assert before.unread == {}
        assert before.differences(await seen(engine)) == []
        for command, named in IN_REDIS.items():
            docker("exec", "--env", f"REDISCLI_AUTH={SECRET}", one, "redis-cli", *command.split())
            after = await seen(engine)
            assert before.differences(after) == named, command
            before = after
        assert before.read == {}
        assert "refuses every login" in before.unread["set[1]"]


async def test_whatever_is_set_in_postgres_by_hand_is_named(engine: Engine) -> None:
    with run_postgres("set") as one:
        psql = [
            "exec",
            "--env",
            f"PGPASSWORD={SECRET}",
            one,
            "psql",
            "-h",
            "127.0.0.1",
            "-U",
            "chat",
        ]
        psql.append("-c")
        docker(*psql, "CREATE ROLE app LOGIN")
        before = await seen(engine)
        assert list(before.read) == ["set[1]"], before.unread
        assert before.differences(await seen(engine)) == []
        for command, named in IN_POSTGRES.items():
            docker(*psql, command)
            after = await seen(engine)
            assert before.differences(after) == named, command
            before = after
