"""The `exec` probe: what a command in a container says about the service."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaoskit.docker.exec import ExecResult
from chaoskit.probes._base import Observed
from chaoskit.probes.exec import ExecProbe
from chaoskit.records import ContainerState
from tests.fakes.fixed_routes import FixedRoutes

STATE = ContainerState("redis", 1, "c1", "p-redis-1", "running", "healthy", 0, 0, "")
SECOND = replace(STATE, replica=2, container_id="c2")


async def observed(routes: FixedRoutes, **fields: Any) -> Observed:
    given = {"probe": "exec", "service": "redis", "run": "redis-cli ping"} | fields
    session = await ExecProbe.model_validate(given).connect(routes)
    return await session.observe()


def running(
    status: int | None, out: str = "", err: str = "", states: Sequence[ContainerState] = (STATE,)
) -> FixedRoutes:
    return FixedRoutes({}, {"redis": list(states)}, lambda *_: ExecResult(status, out, err))


@pytest.mark.parametrize(
    ("done", "fields", "error"),
    [
        ((0, "PONG\n"), {"contains": "PONG"}, None),
        ((3, "", "bad config"), {"exit": 3}, None),
        ((1, "", "Connection\nrefused"), {}, "exited 1 not 0: Connection refused"),
        ((1, "only this", ""), {}, "exited 1 not 0: only this"),
        ((0, "", ""), {"exit": 3}, "exited 0 not 3"),
        ((0, "LOADING\n"), {"contains": "PONG"}, "printed 'LOADING', without 'PONG'"),
        ((0, "\n", "PONG"), {"contains": "PONG"}, "printed nothing, without 'PONG'"),
        ((None, "PO"), {}, "no end of `redis-cli ping` within 5s"),
        ((None,), {"run": ["sleep", "9"], "timeout": "2s"}, "no end of `sleep 9` within 2s"),
    ],
)
async def test_a_sample_says_how_the_command_ended(
    done: tuple[Any, ...], fields: dict[str, Any], error: str | None
) -> None:
    result = await observed(running(*done), **fields)
    assert (result.ok, result.error) == (error is None, error)


@pytest.mark.parametrize(
    ("out", "value"),
    [
        ("17\n", 17),
        (" -0.5 ", -0.5),
        ("12345678901234567891", 12345678901234567891),
        ("true", None),
        ("nan", None),
        ("1 2", None),
        ("PONG", None),
        ("", None),
    ],
)
async def test_a_single_number_that_is_printed_is_the_value(out: str, value: object) -> None:
    result = await observed(running(0, out))
    assert (result.ok, result.value, type(result.value)) == (True, value, type(value))


@pytest.mark.parametrize(
    ("states", "fields", "error"),
    [
        ([], {}, "no such container"),
        ([STATE], {"replica": 2}, "no such container"),
        ([replace(STATE, status="paused")], {}, "redis[1] is paused"),
        ([replace(STATE, status="exited", exit_code=137)], {}, "redis[1] is exited (code 137)"),
    ],
)
async def test_a_container_that_does_not_run_is_said(
    states: list[ContainerState], fields: dict[str, Any], error: str
) -> None:
    assert (await observed(running(0, states=states), **fields)).error == error


async def test_a_container_that_stops_in_this_moment_fails_the_sample() -> None:
    result = await observed(FixedRoutes({}, {"redis": [STATE]}))
    assert (result.ok, result.error) == (False, "container c1 is not running")


async def test_it_runs_in_the_replica_asked_for_and_a_list_as_it_is() -> None:
    ran: list[tuple[str, list[str]]] = []

    def execute(container: str, argv: Sequence[str]) -> ExecResult:
        ran.append((container, list(argv)))
        return ExecResult(0, "", "")

    routes = FixedRoutes({}, {"redis": [STATE, SECOND]}, execute)
    await observed(routes, run=["redis-cli", "ping"])
    await observed(routes, run=["redis-cli", "ping"], replica=2)
    assert ran == [("c1", ["redis-cli", "ping"]), ("c2", ["redis-cli", "ping"])]


def test_a_text_goes_to_a_shell_and_ends_with_all_that_it_started() -> None:
    given = {"probe": "exec", "service": "a", "timeout": "1s"}
    good = ExecProbe.model_validate(given | {"run": "echo $((6 * 7)); exit 5"})
    done = subprocess.run(good.argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (5, "42\n")
    hangs = ExecProbe.model_validate(given | {"run": "sleep 60 | cat; true"})
    start = time.monotonic()
    done = subprocess.run(hangs.argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    assert time.monotonic() - start < 10  # both of the pipe held the output open


def test_a_text_runs_also_where_there_is_no_command_to_end_it(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    probe = ExecProbe.model_validate({"probe": "exec", "service": "a", "run": "echo $((6 * 7))"})
    done = subprocess.run(
        ["/bin/sh", *probe.argv[1:]],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
