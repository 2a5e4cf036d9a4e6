"""What is broken before a run, or not shown by it, is never a pass."""

from __future__ import annotations

import json

import pytest

from chaoskit.records import Verdict
from tests.stack.running import TWO_CHATS, Chaoskit, Scenario, available, chats, docker, fault

KILL = fault("kill", service="redis")


def with_redis(chaoskit: Chaoskit, redis: str, **changes: object) -> Scenario:
    """Return a scenario on the two chats whose redis service is changed."""
    override = chaoskit.write(f"services: {{ redis: {redis} }}", "override.yaml")
    return chats(
        stack={"compose": [str(TWO_CHATS), str(override)], "up_timeout": "20s"},
        faults=[KILL],
        **changes,
    )


@pytest.mark.parametrize("restart", ["no", "always"])
def test_a_redis_that_exits_at_once_is_an_environment_problem_and_its_log_is_shown(
    chaoskit: Chaoskit, restart: str
) -> None:
    scenario = with_redis(
        chaoskit,
        f'{{ command: [sh, -c, "echo no disk today >&2; exit 3"], restart: "{restart}" }}',
    )
    scenario["stack"]["up_timeout"] = "10s"
    run = chaoskit.run(scenario)
    assert run.code == 4, run.output
    assert run.result.verdict is Verdict.UNKNOWN
    assert "`redis`" in (run.result.reason or "")
    assert "no disk today" in " ".join(run.result.stack.last_logs["redis"])
    assert "no disk today" in run.stdout
    assert not any(row["event"] == "fault_injected" for row in run.rows("events.ndjson"))


def test_a_redis_that_never_gets_healthy_names_itself(chaoskit: Chaoskit) -> None:
    scenario = with_redis(
        chaoskit, "{ healthcheck: { test: [CMD, 'false'], interval: 300ms, start_period: 0s } }"
    )
    scenario["stack"]["up_timeout"] = "10s"
    run = chaoskit.run(scenario)
    assert run.code == 4, run.output
    assert "`redis` is unhealthy" in (run.result.reason or "")
    assert "up_timeout" in run.output


def test_a_steady_state_that_is_not_met_is_unknown_and_nothing_is_injected(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(
        with_redis(
            chaoskit,
            "{ command: [redis-server, --bind, '*', --requirepass, 'sesame-open'] }",
            timeline={"gate": {"for": "500ms", "within": "4s"}},
            expect=[available("two", "0%")],
        )
    )
    assert run.code == 3, run.output
    reason = run.result.reason or ""
    assert "steady state was not met" in reason
    assert "`one` fails: status 503" in reason
    assert not any(row["event"] == "fault_injected" for row in run.rows("events.ndjson"))
    assert all(not fault.proven for fault in run.result.faults)


def test_a_fault_on_an_edge_that_nothing_used_is_not_proven(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(
        chats(faults=[fault("blackhole", "0s", "2s", edge="chat-2 -> chat-1", id="idle")])
    )
    assert run.code == 3, run.output
    assert run.result.checks[0].verdict is Verdict.PASS
    assert run.result.verdict is Verdict.UNKNOWN
    idle = run.fault("idle")
    assert not idle.proven
    assert "nothing used chat-2 -> chat-1" in (idle.reason or "")
    assert "nothing used chat-2 -> chat-1" in (run.result.reason or "")
    assert "nothing used chat-2 -> chat-1" in run.stdout


ANYTHING = {"chat": {"probe": "http", "url": "http://chat-2:8000/healthz", "every": "100ms"}}


def test_a_fault_whose_container_is_gone_is_not_proven(chaoskit: Chaoskit) -> None:
    going = chaoskit.start(
        chats(
            faults=[fault("kill", "1s", service="redis")],
            probes=ANYTHING,
            expect=[available("chat")],
        )
    )
    going.read_until("phase faults")
    remove_redis(chaoskit)
    run = going.finish()
    assert run.code == 3, run.output
    assert run.result.checks[0].verdict is Verdict.PASS
    assert "`redis` has no container" in (run.fault("kill").reason or "")


def test_a_container_that_vanishes_under_its_fault_makes_the_run_unknown(
    chaoskit: Chaoskit,
) -> None:
    going = chaoskit.start(
        chats(
            faults=[fault("pause", "0s", "2s", service="redis")],
            probes=ANYTHING,
            expect=[available("chat")],
        )
    )
    going.read_until("injected")
    remove_redis(chaoskit)
    run = going.finish()
    assert run.code == 3, run.output
    assert "no container left" in (run.fault("pause").reason or "")


def remove_redis(chaoskit: Chaoskit) -> None:
    run = (chaoskit.runs / "latest").resolve().name
    found = docker(
        "ps", "-q",
        "--filter", f"label=io.chaoskit.run={run}",
        "--filter", "label=com.docker.compose.service=redis",
    ).split()  # fmt: skip
    assert len(found) == 1
    docker("rm", "--force", *found)


def test_one_run_after_another_gives_the_worst_exit_code_and_all_reports(
    chaoskit: Chaoskit,
) -> None:
    chaoskit.write(chats(name="a-passes"), "suite/a.yaml")
    chaoskit.write(chats(name="b-fails", faults=[KILL], expect=[available("one")]), "suite/b.yaml")
    run = chaoskit.run(chaoskit.directory / "suite", "--report", "json=out/all.json")
    assert run.code == 1, run.output
    results = json.loads((chaoskit.directory / "out/all.json").read_text())
    assert [(r["run"]["scenario"], r["exit_code"]) for r in results] == [
        ("a-passes", 0),
        ("b-fails", 1),
    ]
    folders = [path for path in chaoskit.runs.iterdir() if path.is_dir() and path.name != "latest"]
    assert len(folders) == 2
    assert run.stdout.index("PASS  a-passes") < run.stdout.index("FAIL  b-fails")
