"""What died without a fault that meant it, told from the events of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import pytest

from chaoskit.judge.deaths import Death, advice, deaths
from chaoskit.record.events import (
    ContainerChanged,
    FaultHealed,
    FaultInjected,
    LastLines,
    PhaseEnded,
    PhaseStarted,
    Recorded,
    ReplicaSeen,
    ReplicasRead,
    RunEvent,
    RunStarted,
)
from chaoskit.record.reader import RunLog
from chaoskit.scenario.document import Scenario, scenario_model

KILL = {"id": "down", "fault": "kill", "service": "redis", "for": "3s", "at": "0s"}
SETTLED = 20.0  # when the replicas are read back


def scenario(fault: dict[str, Any] = KILL, allow: Any = ()) -> Scenario:
    document = {
        "name": "small",
        "stack": {"compose": "compose.yaml"},
        "probes": {"web": {"probe": "http", "url": "http://web:80/"}},
        "timeline": {"faults": [fault]},
        "expect": [{"check": "availability", "probe": "web", "at_least": "90%"}],
        "allow": allow,
    }
    return scenario_model().model_validate(document)


def start(t: float, service: str = "worker", replica: int = 1) -> tuple[float, RunEvent]:
    return t, ContainerChanged(service, replica, "start")


def die(
    t: float, code: int = 1, service: str = "worker", replica: int = 1
) -> tuple[float, RunEvent]:
    return t, ContainerChanged(service, replica, "die", code)


def told(t: float, action: str, service: str = "worker", **more: Any) -> tuple[float, RunEvent]:
    return t, ContainerChanged(service, 1, action, **more)


def log(
    *events: tuple[float, RunEvent],
    up: tuple[str, ...] | None = (),
    exited: dict[str, int] | None = None,
    jobs: tuple[str, ...] = (),
    fault: str = "kill",
    services: tuple[str, ...] = ("redis",),
    ends: bool = True,
) -> RunLog:
    """Return a run with a fault from 10 to 13 s, read back at 20 s unless `up` is None."""
    rows: list[tuple[float, RunEvent]] = [
        (0.0, RunStarted(datetime(2026, 1, 1, tzinfo=UTC))),
        (0.0, PhaseStarted("up")),
        (10.0, FaultInjected("down", fault, "redis", services, ends)),
        (13.0, FaultHealed("down")),
        (21.0, PhaseEnded("settle")),
        (22.0, PhaseStarted("judge")),
        *events,
    ]
    if up is not None:
        seen = [ReplicaSeen(service, 1, "running") for service in up]
        seen += [ReplicaSeen(name, 1, "exited", code) for name, code in (exited or {}).items()]
        rows.append((SETTLED, ReplicasRead(tuple(seen), jobs)))
    return RunLog(Recorded(t, event) for t, event in sorted(rows, key=lambda row: row[0]))


def only(found: list[Death]) -> Death:
    assert len(found) == 1, [one.text for one in found]
    return found[0]


def unsettled(found: list[Death]) -> list[str]:
    return [one.text for one in found if one.unsettling]


def test_a_bystander_that_dies_and_stays_down_is_told_with_its_last_lines() -> None:
    found = deaths(
        scenario(),
        log(
            start(1), die(10.4), (10.6, LastLines("worker", 1, 10.4, ("redis went away",))),
            exited={"worker": 1},
        ),
    )  # fmt: skip
    death = only(found)
    assert death.text == (
        "`worker` exited with code 1 at 10.40 s, during kill redis, and stayed down"
    )
    assert (death.reason, death.exit_code, death.down) == ("exited", 1, True)
    assert death.lines == ("redis went away",)
    assert unsettled(found) == [death.text]
    assert advice(found) == [
        "if `worker` may end like that, say so: `allow: {service: worker, may: exit}`"
    ]


def test_a_bystander_that_its_policy_brings_back_is_told_and_no_more() -> None:
    found = deaths(scenario(), log(start(1), die(10.4), start(10.6), up=("worker",)))
    assert only(found).text == (
        "`worker` exited with code 1 at 10.40 s, during kill redis, and was started again "
        "200ms later"
    )
    assert unsettled(found) == []


def test_what_the_fault_kills_is_meant_when_it_is_up_again() -> None:
    events = [start(1, "redis"), die(10.1, 137, "redis"), start(12.9, "redis")]
    assert deaths(scenario(), log(*events, up=("redis",))) == []


def test_what_dies_again_after_its_heal_is_told() -> None:
    events = [start(1, "redis"), die(10.1, 137, "redis"), start(12.9, "redis")]
    found = deaths(scenario(), log(*events, die(13.2, 1, "redis"), exited={"redis": 1}))
    assert only(found).text == (
        "`redis` exited with code 1 at 13.20 s, 200ms after kill redis was healed, and stayed down"
    )
    assert unsettled(found)


def test_what_the_fault_killed_and_nothing_brought_back_is_told() -> None:
    events = [start(1, "redis"), die(10.1, 137, "redis")]
    found = deaths(scenario(), log(*events, exited={"redis": 137}))
    assert only(found).down
    assert unsettled(found)


def test_a_job_that_ended_well_before_the_faults_is_nobody_s_concern() -> None:
    assert deaths(scenario(), log(start(1), die(4, 0), exited={"worker": 0})) == []


def test_a_service_that_ends_well_under_a_fault_is_told() -> None:
    found = deaths(scenario(), log(start(1), die(10.4, 0), exited={"worker": 0}))
    assert unsettled(found) == [
        "`worker` exited with code 0 at 10.40 s, during kill redis, and stayed down"
    ]


def test_a_job_that_others_wait_for_may_end_well_at_any_time() -> None:
    ended = log(start(9), die(10.4, 0), exited={"worker": 0}, jobs=("worker",))
    assert deaths(scenario(), ended) == []


@pytest.mark.parametrize("t", [3.0, 8.5])
def test_a_job_that_fails_before_the_faults_is_told(t: float) -> None:
    found = deaths(scenario(), log(start(1), die(t, 3), exited={"worker": 3}))
    assert unsettled(found) == [
        f"`worker` exited with code 3 at {t:.2f} s, before any fault, and stayed down"
    ]


def loop(*lives: float, pause: float = 1.0) -> list[tuple[float, RunEvent]]:
    """Return a service that ran for long and then, again and again, only so long."""
    events, t = [start(1), die(10.5)], 10.5
    for life in lives:
        events += [start(t + pause), die(t + pause + life)]
        t += pause + life
    return [*events, start(t + pause)]


def test_a_crash_loop_is_one_entry_with_its_count() -> None:
    found = deaths(scenario(), log(*loop(0.1, 0.1, 0.1), up=("worker",)))
    death = only(found)
    assert death.times == 4
    assert "4 times until 13.80 s and was started again" in death.text
    assert unsettled(found) == []


def test_a_crash_loop_that_goes_on_is_not_up_although_it_was_seen_running() -> None:
    found = deaths(scenario(), log(*loop(1.5, 1.5, 1.5), up=("worker",)))
    assert "was still restarting in the end" in only(found).text
    assert unsettled(found)


def test_a_replica_seen_restarting_is_down() -> None:
    seen = (18.0, ReplicasRead((ReplicaSeen("worker", 1, "restarting", 1),)))
    found = deaths(scenario(), log(start(1), die(10.5), seen, up=None))
    assert only(found).down


def test_what_dies_after_it_was_read_back_is_down() -> None:
    found = deaths(scenario(), log(start(1), die(20.5), up=("worker",)))
    assert unsettled(found)


def test_the_teardown_ends_everything_and_is_not_told() -> None:
    assert deaths(scenario(), log(start(1), die(22.5, 137), up=("worker",))) == []


def test_memory_that_ran_out_is_told_as_such() -> None:
    events = [start(1), told(11.0, "oom"), die(11.1, 137), start(11.3)]
    death = only(deaths(scenario(), log(*events, up=("worker",))))
    assert death.reason == "oom"
    assert "was killed because its memory ran out at 11.00 s" not in death.text
    assert "was killed because its memory ran out at 11.10 s" in death.text


@pytest.mark.parametrize("word", [11.2, 11.5])
def test_word_of_memory_that_ran_out_may_come_after_that_of_the_death(word: float) -> None:
    events = [start(1), die(11.1, 137), start(11.3), told(word, "oom")]
    death = only(deaths(scenario(), log(*sorted(events, key=itemgetter(0)), up=("worker",))))
    assert (death.reason, death.exit_code) == ("oom", 137)


def test_memory_that_runs_out_long_after_a_kill_is_no_word_of_that() -> None:
    events = [start(1), die(11.1, 137), start(11.3), told(14.0, "oom")]
    found = deaths(scenario(), log(*events, up=("worker",)))
    assert "at 11.10 s" in found[0].text
    assert "memory" not in found[0].text.split(";")[0].split(",")[0]


def test_a_process_killed_for_memory_in_a_service_that_lives_on_is_told() -> None:
    found = deaths(scenario(), log(start(1), told(11.0, "oom"), up=("worker",)))
    death = only(found)
    assert "had a process killed because its memory ran out at 11.00 s" in death.text
    assert not death.down
    assert unsettled(found) == []


def test_a_memory_fault_means_the_deaths_of_its_service_only() -> None:
    fault = {"id": "down", "fault": "memory", "service": "redis", "limit": "64MiB", "for": "3s"}
    events = [
        start(1, "redis"), told(11, "oom", "redis"), die(11.1, 137, "redis"), start(11.4, "redis"),
        start(1), told(11.2, "oom"), die(11.3, 137), start(11.5),
    ]  # fmt: skip
    found = deaths(
        scenario(fault), log(*events, up=("redis", "worker"), fault="memory", ends=False)
    )
    assert only(found).service == "worker"


def test_a_paused_service_that_dies_is_told() -> None:
    fault = {"id": "down", "fault": "pause", "service": "redis", "for": "3s"}
    events = [start(1, "redis"), die(11.1, 1, "redis"), start(11.4, "redis")]
    found = deaths(scenario(fault), log(*events, up=("redis",), fault="pause", ends=False))
    assert only(found).service == "redis"


def removed(t: float, service: str) -> list[tuple[float, RunEvent]]:
    """Return what the engine tells of `docker rm --force`."""
    kill = told(t, "kill", service, signal=9)
    return [kill, die(t + 0.1, 137, service), told(t + 0.2, "destroy", service)]


def test_what_somebody_else_removed_is_named_and_voids_the_run() -> None:
    fault = {"id": "down", "fault": "latency", "edge": "web -> redis", "delay": "9ms", "for": "3s"}
    events = [start(1, "redis"), *removed(12.1, "redis"), start(1), die(11.0)]
    found = deaths(
        scenario(fault),
        log(*events, exited={"worker": 1}, fault="latency", services=(), ends=False),
    )
    assert [one.interference for one in found] == [False, True]
    assert unsettled(found)[1] == (
        "`redis` was removed by somebody else at 12.30 s, during latency redis"
    )
    assert advice([one for one in found if one.interference]) == []


def test_what_somebody_else_removed_while_it_was_killed_is_named() -> None:
    events = [start(1, "redis"), die(10.1, 137, "redis"), told(12.0, "destroy", "redis")]
    found = deaths(scenario(), log(*events))
    assert only(found).interference
    assert "removed by somebody else at 12.00 s" in found[0].text


def test_what_somebody_else_stopped_is_named() -> None:
    kill = told(11.0, "kill", signal=15)
    found = deaths(scenario(), log(start(1), kill, die(11.2, 143), exited={"worker": 143}))
    assert only(found).text == (
        "`worker` was ended by somebody else (SIGTERM) at 11.20 s, during kill redis, "
        "and stayed down"
    )
    assert only(found).interference


def test_a_signal_that_asks_for_something_else_ends_nothing() -> None:
    hup = told(11.0, "kill", signal=1)
    found = deaths(scenario(), log(start(1), hup, die(11.2, 1), exited={"worker": 1}))
    assert only(found).reason == "exited"


def test_a_recreated_service_is_no_removal() -> None:
    fault = {"id": "down", "fault": "recreate", "service": "redis", "volumes": "keep"}
    events = [start(1, "redis"), *removed(10.5, "redis"), start(11.5, "redis")]
    assert deaths(scenario(fault), log(*events, up=("redis",), fault="recreate")) == []


def test_commands_of_the_author_on_the_host_may_end_anything() -> None:
    fault = {
        "id": "down", "fault": "exec", "host": True, "for": "3s",
        "inject": "x", "verify": "y", "heal": "z",
    }  # fmt: skip
    events = [start(1), *removed(10.5, "worker"), start(12.0)]
    run = log(*events, up=("worker",), fault="exec", services=(), ends=False)
    assert deaths(scenario(fault), run) == []


@pytest.mark.parametrize(
    ("allow", "again", "settled"),
    [
        ({"service": "worker", "may": "exit"}, False, True),
        ([{"service": "web", "may": "exit"}, {"service": "worker", "may": "exit"}], False, True),
        ({"service": "worker", "may": "restart"}, False, False),
        ({"service": "worker", "may": "restart"}, True, True),
        ({"service": "redis", "may": "exit"}, False, False),
    ],
)
def test_what_the_scenario_allows_is_told_and_does_no_harm(
    allow: Any, again: bool, settled: bool
) -> None:
    if again:
        run = log(*loop(1.5, 1.5, 1.5), up=("worker",))
    else:
        run = log(start(1), die(10.5), exited={"worker": 1})
    found = deaths(scenario(allow=allow), run)
    assert only(found).allowed is settled
    assert bool(unsettled(found)) is not settled
    assert found[0].text.endswith(", as the scenario allows") is settled


def test_replicas_are_told_apart() -> None:
    events = [start(1), start(1, replica=2), die(10.5, replica=2)]
    found = deaths(scenario(), log(*events, up=("worker",)))
    assert only(found).text.startswith("`worker[2]` exited")


def test_a_run_without_a_read_back_is_judged_by_its_events() -> None:
    assert unsettled(deaths(scenario(), log(start(1), die(10.5), up=None)))
    assert deaths(scenario(), log(start(1, "redis"), die(10.1, 137, "redis"), up=None)) == []
