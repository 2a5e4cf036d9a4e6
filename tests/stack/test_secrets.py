"""A password is in no file of a run and on no output, whatever prints it."""

from __future__ import annotations

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
    assert {"result.json", "app.log", "junit.xml", "summary.md", "plan.json"} <= {
        file.name for file in files
    }
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
