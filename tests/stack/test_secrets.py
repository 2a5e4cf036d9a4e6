"""A password is in no file of a run and on no output, whatever prints it."""

from __future__ import annotations

import base64
import signal
import time
from typing import Any

import pytest

from tests.stack.running import STACKS, Chaoskit, Run, available, chats, fault

URL = "postgres://chat:${POSTGRES_PASSWORD:-leaky-default-secret}@postgres:5432/chat"
LOUD = {"check": "logs", "service": "app", "contains": "connecting", "at_most": 0}


def leaky(**changes: Any) -> dict[str, Any]:
    probe = {"probe": "postgres", "url": URL, "every": "100ms", "timeout": "2s"}
    return chats(
        name="leaky",
        stack={"compose": str(STACKS / "leaky.yaml"), "up_timeout": "30s"}
        | changes.pop("stack", {}),
        probes={"database": probe},
        **changes,
    )


def is_nowhere(secret: str, run: Run) -> None:
    assert secret not in run.stdout
    assert secret not in run.stderr
    files = [file for file in run.path.parent.rglob("*") if file.is_file()]
    written = {"result.json", "report.html", "trace.json", "app.log", "junit.xml", "summary.md"}
    assert written | {"plan.json"} <= {file.name for file in files}
    leaks = [str(file) for file in files if secret.encode() in file.read_bytes()]
    assert not leaks


@pytest.mark.parametrize("given", [None, "hunter2-from-outside"])
def test_a_password_is_masked_also_where_failing_checks_show_log_lines(
    chaoskit: Chaoskit, given: str | None
) -> None:
    env = {} if given is None else {"POSTGRES_PASSWORD": given}
    run = chaoskit.run(
        leaky(faults=[fault("kill", service="postgres")], expect=[available("database"), LOUD]),
        "--events", "events.out",
        "--report", "junit=out/junit.xml", "--report", "json=out/all.json",
        env=env,
    )  # fmt: skip
    assert run.code == 1, run.output
    secret = given or "leaky-default-secret"
    is_nowhere(secret, run)
    for file in ("events.out", "out/junit.xml", "out/all.json"):
        assert secret not in (chaoskit.directory / file).read_text()
    shown = [line.text for check in run.result.checks for line in check.log_lines]
    assert any("connecting to postgres://chat:***@postgres:5432/chat with ***" in t for t in shown)
    assert "connecting to postgres://chat:***@postgres" in " ".join(run.stdout.split())


def test_a_password_is_masked_in_the_logs_of_a_stack_that_does_not_come_up(
    chaoskit: Chaoskit,
) -> None:
    override = chaoskit.write(
        """
        services:
          app:
            command: [sh, -c, 'echo no route to "$$DATABASE_URL" "$$POSTGRES_PASSWORD"; exit 7']
        """,
        "override.yaml",
    )
    password = 'quo"ted-pässword'  # looks different in JSON
    run = chaoskit.run(
        leaky(
            stack={"compose": [str(STACKS / "leaky.yaml"), str(override)]},
            expect=[available("database")],
        ),
        "--json", "--events", "events.out",
        env={"POSTGRES_PASSWORD": password},
    )  # fmt: skip
    assert run.code == 4, run.output
    assert any("no route to" in line for line in run.result.stack.last_logs["app"])
    for form in (password, 'quo\\"ted', "ted-p\\u00e4ssword", "ted-pässword"):
        is_nowhere(form, run)
        assert form not in (chaoskit.directory / "events.out").read_text()


FORMS = """
import base64, html, json, os, sys, time, urllib.parse
names = ["DOLLAR_PASSWORD", "AUTH_HEADER", "JWT", "MYSQL_PWD", "MULTI_SECRET", "DB_PASSWORD_PROD",
         "DB_CONFIG", "SETTINGS", "TLS_KEY", "GO_DSN", "HOOK", "MYSQL_ROOT_PW", "STRIPE"]
inside = [open("/redis.conf").read().split()[1], open("/run/secrets/api").read()]
while True:
    for value in (*map(os.environ.__getitem__, names), *inside):
        basic = base64.b64encode(b"app:" + value.encode()).decode()
        print(value, repr(value), json.dumps(value), urllib.parse.quote(value), html.escape(value))
        print("Authorization: Basic", basic, value.encode().hex(), flush=True)
    time.sleep(0.3)
"""


def test_no_form_of_a_password_is_in_a_log_or_on_the_terminal(chaoskit: Chaoskit) -> None:
    chaoskit.write(FORMS, "forms.py")
    chaoskit.write("fileLEAK16", "api.txt")
    compose = chaoskit.write(
        """
        services:
          app:
            image: chaoskit/lab:1
            command: [python3, -u, /forms.py]
            volumes: ["./forms.py:/forms.py:ro"]
            init: true
            environment:
              DOLLAR_PASSWORD: "do$$llarLEAK/1"
              AUTH_HEADER: "Bearer headerLEAK2"
              JWT: "eyJhbGciOiJIUzI1NiJ9.jwtLEAK3.sig"
              MYSQL_PWD: "mysqlLEAK4"
              MULTI_SECRET: "lineoneLEAK5\\nlinetwoLEAK5"
              DB_PASSWORD_PROD: "prodLEAK6"
              DB_CONFIG: '{"db": {"password": "jsonLEAK7"}}'
              SETTINGS: "db:\\n  user: app\\n  password: yamlLEAK8x\\n"
              TLS_KEY: "-----BEGIN PRIVATE KEY-----\\nMIIEvLEAK9\\n-----END PRIVATE KEY-----"
              GO_DSN: "app:godsnLEAK10@tcp(db:3306)/shop"
              HOOK: "https://hooks.slack.com/services/T0/B0/hookLEAK11"
              MYSQL_ROOT_PW: "rootLEAK12"
              STRIPE: "sk_live_stripeLEAK13"
            healthcheck:
              test: [CMD-SHELL, "echo mysqladmin ping -phealthLEAK14"]
              interval: 1s
            configs: [{source: redis, target: /redis.conf}]
            secrets: [api]
        configs:
          redis: {content: "requirepass confLEAK15"}
        secrets:
          api: {file: ./api.txt}
        """,
        "compose.yaml",
    )
    loud = {"check": "logs", "service": "app", "contains": "Authorization", "at_most": 0}
    run = chaoskit.run(
        chats(
            stack={"compose": str(compose)},
            probes={"app": {"probe": "container", "service": "app", "every": "100ms"}},
            expect=[loud],
        ),
        "--report", "junit=out/junit.xml",
    )  # fmt: skip
    assert run.code == 1, run.output
    encoded = base64.b64encode(b"app:mysqlLEAK4").decode()
    assert "Authorization: Basic" in (run.path / "logs" / "app.log").read_text()
    in_hex = b"rootLEAK12".hex()
    for secret in ("LEAK", encoded, in_hex, "do$llar", "do%24llar"):
        assert secret not in run.output
        files = [file for file in run.path.parent.rglob("*") if file.is_file()]
        assert not [str(file) for file in files if secret.encode() in file.read_bytes()]
        assert secret not in (chaoskit.directory / "out/junit.xml").read_text()


def test_a_killed_run_is_healed_although_its_passwords_are_words_of_its_ledger(
    chaoskit: Chaoskit,
) -> None:
    compose = chaoskit.write(
        """
        services:
          redis:
            image: chaoskit/lab:1
            user: redis
            command: [redis-server, --bind, "*", --protected-mode, "no", --save, ""]
            environment:
              DB_PASSWORD: chatapp
              API_TOKEN: running
              ADMIN_PASSWORD: exited
              X_SECRET: noeviction
              Y_SECRET: allkeys-lru
              W_TOKEN: default
            expose: ["6379"]
            stop_grace_period: 1s
        """,
        "compose.yaml",
    )
    evict = fault(
        "redis_evict", service="redis", lasts="60s", maxmemory="1KB", policy="allkeys-lru"
    )
    probe = {"probe": "redis", "url": "redis://redis:6379/0", "every": "100ms"}
    going = chaoskit.start(
        chats(
            name="chatapp",
            stack={"compose": str(compose)},
            probes={"cache": probe},
            faults=[evict],
            expect=[available("cache", "1%")],
        )
    )
    going.read_until("redis_evict redis injected")
    going.send(signal.SIGKILL)
    run = going.finish()
    deadline = time.monotonic() + 60
    while not (run.path / "result.json").exists():
        assert time.monotonic() < deadline, "the guard did not finish the run"
        time.sleep(0.1)
    healed = [row for row in run.rows("ledger.ndjson") if row["step"] == "healed"]
    assert [row["id"] for row in healed] == ["redis_evict", "stack"]
    for name in ("ledger.ndjson", "events.ndjson", "plan.json"):
        assert "***" not in (run.path / name).read_text(), name
