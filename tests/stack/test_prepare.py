"""Commands that make the copy of a stack ready before its steady state is asked for."""

from __future__ import annotations

from typing import Any

from tests.stack.running import STACKS, Chaoskit, Scenario

COMPOSE = STACKS.parent / "cases/looks/compose.yaml"


def scenario(*commands: dict[str, Any]) -> Scenario:
    probe = {"probe": "redis", "url": "redis://redis:6379/0", "command": "GET mode"}
    return {
        "name": "prepared",
        "stack": {"compose": str(COMPOSE), "prepare": list(commands)},
        "probes": {"mode": probe | {"expect": "open"}},
        "timeline": {
            "gate": {"for": "300ms", "within": "20s"},
            "faults": [{"fault": "pause", "service": "redis", "at": "0s", "for": "1s"}],
            "settle": "1s",
        },
        "expect": [{"check": "recovery", "probe": "mode", "within": "2s"}],
    }


def test_what_prepares_a_service_has_run_before_the_gate(chaoskit: Chaoskit) -> None:
    first = {"service": "redis", "run": "redis-cli set made 1"}
    second = {
        "service": "redis",
        "run": "test $(redis-cli get made) = 1 && redis-cli set mode open",
    }
    run = chaoskit.run(scenario(first, second))
    assert run.code == 0, run.output
    assert run.output.count("preparing `redis`") == 2


def test_what_cannot_be_prepared_ends_the_run_with_its_output(chaoskit: Chaoskit) -> None:
    broken = {"service": "redis", "run": "echo no such table >&2; exit 7"}
    run = chaoskit.run(scenario(broken))
    assert run.code == 4, run.output
    assert "ended with 7" in run.output
    assert "no such table" in run.output


def test_what_takes_too_long_ends_the_run(chaoskit: Chaoskit) -> None:
    endless = {"service": "redis", "run": "sleep 60", "within": "1s"}
    run = chaoskit.run(scenario(endless))
    assert run.code == 4, run.output
    assert "took longer than 1s" in run.output


def test_a_service_that_is_not_there_is_an_error_before_anything_starts(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(scenario({"service": "rediss", "run": "true"}))
    assert run.code == 2, run.output
    assert "rediss" in run.output
