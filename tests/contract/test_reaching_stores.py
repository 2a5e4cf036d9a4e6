"""Stores that listen elsewhere, speak TLS, or got their password as they started."""

from __future__ import annotations

import pytest

from chaoskit.docker.client import Engine
from chaoskit.errors import FaultFailed
from tests.compose_project import LAB, docker
from tests.contract.real_servers import container, eventually
from tests.contract.test_store_faults import SECRET, Store, labels, made

# The certificate is the server's own; one that wants its clients' is content with it.
WITH_TLS = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=r -keyout /tmp/k -out /tmp/c 2>/dev/null
exec redis-server --port 0 --tls-port 6379 --tls-cert-file /tmp/c --tls-key-file /tmp/k \
  --tls-ca-cert-file /tmp/c --tls-auth-clients {} --save ''
"""
REDIS = {
    "tls": WITH_TLS.format("no"),
    "tls-clients": WITH_TLS.format("yes"),
    "port": "echo 'port 7000' | exec redis-server -",
    "socket": "exec redis-server --port 0 --unixsocket /tmp/r.sock --save ''",
    "variable": 'exec redis-server --requirepass "$PW"',
    "file": 'exec redis-server --requirepass "$(cat /tmp/kept)"',
    "stdin": 'printf "requirepass $REDIS_PW" | exec redis-server -',
    "secret": "mkdir -p /run/secrets; cp /tmp/kept /run/secrets/it; P=$(cat /tmp/kept);"
    " echo requirepass $P | exec redis-server -",
}


@pytest.mark.parametrize("how", REDIS)
async def test_a_redis_is_asked_where_it_listens_and_as_it_wants(how: str, engine: Engine) -> None:
    service = f"reach-{how}"
    variables = {"variable": "PW", "stdin": "REDIS_PW"}
    options = ["--env", f"{variables[how]}={SECRET}"] if how in variables else []
    kept = f"printf '%s' {SECRET} > /tmp/kept\n" if how in ("file", "secret") else ""
    command = ["sh", "-c", "sh /tmp/nothing 2>/dev/null; " + kept + REDIS[how]]
    with container(*labels(service), *options, LAB, *command) as one:
        eventually("it is up", lambda: "Ready to accept" in docker("logs", one))
        store = Store(service, one, 0, engine)
        for fault in (
            made("redis_evict", service=service, maxmemory="90MiB"),
            made("redis_pause", service=service),
        ):
            await store.heal(fault, await store.inject(fault))
        assert not store.processes()


async def test_a_redis_that_lets_nobody_in_says_what_was_tried(engine: Engine) -> None:
    command = ["sh", "-c", "P=un''known; echo requirepass $P | exec redis-server -"]
    with container(*labels("reach-none"), LAB, *command) as one:
        eventually("it is up", lambda: "Ready to accept" in docker("logs", one))
        store = Store("reach-none", one, 0, engine)
        for kind in ("redis_pause", "redis_kill_clients"):
            with pytest.raises(FaultFailed, match=r"refuses every login .*REDIS_PASSWORD_FILE"):
                await made(kind, service="reach-none").prepare(await store.stack())
