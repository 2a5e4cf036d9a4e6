"""What dies while nobody looks at it is told, and is never a plain pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaoskit.judge.verdict import judge
from chaoskit.record.reader import RunRecord, stored_scenario
from chaoskit.records import Verdict
from tests.stack.running import STACKS, Chaoskit, Run, Scenario, available, docker, fault

CASE = STACKS.parent / "cases" / "deaths" / "compose.yaml"
KILL = fault("kill", "0s", "1s", service="redis")
SLOW = fault("latency", "0s", "2s", edge="web -> redis", delay="100ms")
# Ends as soon as it is started a second time.
STALE = "test -e /state/x && { sleep 0.8; echo stale lock; exit 1; }; touch /state/x; exec "
SERVER = "redis-server --bind '*' --protected-mode no --save ''"


def scenario(*profiles: str, env: dict[str, str] | None = None, **changes: Any) -> Scenario:
    timeline = {"gate": {"for": "300ms", "within": "20s"}, "baseline": "500ms", "settle": "3s"}
    return {
        "name": "deaths",
        "stack": {"compose": str(CASE), "profiles": list(profiles), "env": env or {}},
        "probes": {"web": {"probe": "http", "url": "http://web:8000/", "every": "100ms"}},
        "timeline": {**timeline, "faults": [KILL], **changes.pop("timeline", {})},
        "expect": [available("web", "50%")],
        **changes,
    }


def unknown(run: Run, reason: str) -> None:
    assert run.code == 3, run.output
    assert reason in (run.result.reason or ""), run.output
    assert not [one for one in run.result.checks if one.verdict is Verdict.FAIL]


@pytest.mark.parametrize("code", [0, 1])
def test_a_worker_that_dies_with_its_store_is_told(chaoskit: Chaoskit, code: int) -> None:
    run = chaoskit.run(scenario("worker", env={"CODE": str(code)}))
    unknown(run, f"`worker` exited with code {code} at ")
    assert "during kill redis, and stayed down" in " ".join(run.stdout.split())
    (death,) = run.result.stack.deaths
    assert (death.exit_code, death.down, death.last_lines) == (code, True, ["redis went away"])
    assert "redis went away" in (run.path / "summary.md").read_text()
    again = judge(stored_scenario(run.path), RunRecord.read(run.path))
    assert (again.verdict, again.reason, again.stack.deaths) == (
        Verdict.UNKNOWN, run.result.reason, [death],
    )  # fmt: skip


def test_a_worker_that_may_exit_is_told_and_the_run_passes(chaoskit: Chaoskit) -> None:
    allow = {"service": "worker", "may": "exit"}
    run = chaoskit.run(scenario("worker", allow=allow))
    assert run.code == 0, run.output
    assert [(one.service, one.allowed) for one in run.result.stack.deaths] == [("worker", True)]
    assert "as the scenario allows" in " ".join(run.stdout.split())


def test_a_target_that_dies_again_after_its_heal_is_told(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(scenario(env={"REDIS": STALE + SERVER}))
    unknown(run, "after kill redis was healed, and stayed down")
    assert run.result.stack.deaths[0].last_lines[-1] == "stale lock"


def test_a_job_that_was_still_running_when_the_stack_was_up_is_seen_to_fail(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(scenario("job", timeline={"gate": {"for": "2s", "within": "20s"}}))
    unknown(run, "`job` exited with code 3 and nothing starts it again, its log says: relation")
    assert run.result.stack.deaths[0].last_lines == ["relation users exists"]
    assert run.result.faults[0].injected_at is None


def test_what_fails_or_starves_or_loops_beside_the_faults_is_told(chaoskit: Chaoskit) -> None:
    run = chaoskit.run(scenario("late-job", "hungry", "looping", timeline={"settle": "5s"}))
    assert run.code == 3, run.output
    # The first of each: on a slow machine memory runs out once more when the run ends.
    found = {one.service: one for one in reversed(run.result.stack.deaths)}
    assert set(found) == {"late-job", "hungry", "looping"}
    assert (found["late-job"].exit_code, found["late-job"].down) == (3, True)
    assert (found["hungry"].reason, found["hungry"].exit_code) == ("oom", 137)
    assert found["hungry"].last_lines == ["eating"]
    assert found["looping"].times > 3
    assert found["looping"].last_lines[-1] == "no licence"


def test_what_somebody_else_removes_is_named(chaoskit: Chaoskit) -> None:
    expect = [{"check": "availability", "probe": "cache", "at_least": "100%"}]
    probes = {"cache": {"probe": "redis", "url": "redis://redis:6379/0", "every": "100ms"}}
    going = chaoskit.start(scenario(probes=probes, expect=expect, timeline={"faults": [SLOW]}))
    going.read_until("injected")
    run = (chaoskit.runs / "latest").resolve()
    project = json.loads((run / "ledger.ndjson").read_text().splitlines()[0])["project"]
    labels = [f"label=com.docker.compose.{k}={v}" for k, v in
              (("project", project), ("service", "redis"))]  # fmt: skip
    docker(
        "rm", "--force", docker("ps", "-q", "--filter", labels[0], "--filter", labels[1]).strip()
    )
    done = going.finish()
    assert done.code == 3, done.output
    assert done.result.checks[0].verdict is Verdict.FAIL
    assert (done.result.reason or "").startswith("`redis` was removed by somebody else at ")
    assert "UDP" not in done.output  # what the proxy asks a name server is no traffic of its client
