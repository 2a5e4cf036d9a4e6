"""The history is sound: invoked before sent, doubt retires a process, late is recorded."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from chaoskit.clock import Clock
from chaoskit.records import Event
from chaoskit.stack.routes import FixedRoutes, Routes
from chaoskit.workloads._base import REGISTRY, Step, Workload
from chaoskit.workloads.driver import Driver
from chaoskit.workloads.set import SetGenerator, SetWorkload
from tests.fakes.local_servers import Misbehave, Seen, Server, http, refused_routes, serve

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _short_spacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaoskit.workloads.driver.VIEW_SPACING", 0.01)


class App:
    """A tiny app with a set of values, and a switch for what it does wrong."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.history: list[Event] = []
        self.wrong: str | None = None
        self.wrong_reads: str | None = None
        self.seen_before_sending = True

    async def answer(self, seen: Seen) -> tuple[int, Any]:
        wrong = self.wrong if seen.method == "POST" else self.wrong_reads
        if seen.method == "POST":
            value = json.loads(seen.body)["v"]
            invoked = [e for e in self.history if e.type == "invoke" and e.value == value]
            self.seen_before_sending &= len(invoked) == 1
            if wrong in (None, "stall after", "slow"):
                self.values.append(value)
        if wrong == "slow":
            await asyncio.sleep(0.03)
        elif wrong in ("stall", "stall after"):
            raise Misbehave("stall")
        elif wrong in ("close", "reset"):
            raise Misbehave(wrong)
        elif wrong is not None:
            return int(wrong), {}
        return (201, {}) if seen.method == "POST" else (200, {"all": list(self.values)})


def workload(**fields: Any) -> SetWorkload:
    return SetWorkload.model_validate(
        {
            "workload": "set",
            "rate": "100/s",
            "clients": 3,
            "timeout": "2s",
            "reads": "20/s",
            "add": {"http": "POST http://chat:8082/v", "json": {"v": "{value}"}, "ok": [201]},
            "read": {"http": "GET http://chat:8082/v", "values": "$.all[*]"},
            "truth": {"http": "GET http://chat:8082/truth", "values": "$.all"},
        }
        | fields
    )


def driver(app: App, routes: Routes, seed: int = 1, **fields: Any) -> Driver:
    return Driver("members", workload(**fields), routes, Clock(), app.history.append, seed)


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[Server]:
    async with serve(http(app.answer)) as server:
        yield server


async def ran(subject: Driver, seconds: float) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(subject.run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.wait_for(task, 3)


def ended(history: list[Event], op: str = "add") -> list[Event]:
    return [e for e in history if e.op == op and e.type != "invoke"]


def is_sound(history: list[Event]) -> None:
    """One completion for each invocation, one operation at a time for each process."""
    running: dict[int, int] = {}
    retired: set[int] = set()
    ids = [e.id for e in history if e.type == "invoke"]
    assert ids == sorted(set(ids))
    assert [e.t for e in history] == sorted(e.t for e in history)
    for event in history:
        assert event.process not in retired
        if event.type == "invoke":
            assert event.process not in running
            running[event.process] = event.id
        else:
            assert running.pop(event.process) == event.id
            if event.type == "info":
                retired.add(event.process)
    assert not running


async def test_a_good_run_is_recorded_completely() -> None:
    app = App()
    async with serving(app) as server:
        subject = driver(app, server.routes())
        await ran(subject, 0.15)
        complete = await subject.final_reads()
    is_sound(app.history)
    assert complete
    assert app.seen_before_sending
    assert [(e.type, e.op, e.value) for e in app.history[:4]] == [
        ("invoke", "read", None),
        ("ok", "read", []),
        ("invoke", "truth", None),
        ("ok", "truth", []),
    ]
    adds = [e.value for e in ended(app.history)]
    assert 10 <= len(adds) <= 40
    assert sorted(adds, key=str) == sorted(set(app.values), key=str)
    assert all(isinstance(value, int) and 1_000_000 <= value < 2_000_000 for value in adds)
    finals = app.history[-4:]
    assert [(e.type, e.op) for e in finals] == [
        ("invoke", "read"),
        ("ok", "read"),
        ("invoke", "truth"),
        ("ok", "truth"),
    ]
    assert finals[1].value == finals[3].value == app.values
    assert 3 <= len(ended(app.history, "read")) <= 8
    assert subject.counts["add"] == Counter(ok=len(adds))
    assert subject.acknowledged == len(adds)
    assert subject.lateness_p99 < 0.15
    assert {e.workload for e in app.history} == {"members"}
    assert server.connections <= 3 * 3 + 2


async def test_how_a_write_went_wrong_says_how_it_ended() -> None:
    async def case(wrong: str, outcome: str, error: str) -> None:
        app = App()
        app.wrong = wrong
        async with serving(app) as server:
            timeout = "60ms" if wrong == "stall" else "2s"
            await ran(driver(app, server.routes(), timeout=timeout), 0.15)
        is_sound(app.history)
        assert {(e.type, e.error) for e in ended(app.history)} == {(outcome, error)}
        posts = [request for request in server.requests if request.method == "POST"]
        assert len(posts) == len(ended(app.history))  # nothing was sent twice

    await asyncio.gather(
        case("503", "info", "status 503"),
        case("409", "fail", "status 409"),
        case("200", "info", "status 200"),
        case("close", "info", "connection closed"),
        case("reset", "info", "connection reset"),
        case("stall", "info", "no answer within 60ms"),
    )


async def test_refused_writes_are_fail_and_retire_nobody() -> None:
    app = App()
    await ran(driver(app, refused_routes()), 0.1)
    is_sound(app.history)
    assert {(e.type, e.error) for e in ended(app.history)} == {("fail", "connection refused")}
    assert {e.process for e in app.history} <= {0, 1, 2}


async def test_a_read_that_went_wrong_is_fail_and_is_tried_again() -> None:
    async def case(wrong: str) -> None:
        app = App()
        app.wrong_reads = wrong
        async with serving(app) as server:
            timeout = "60ms" if wrong == "stall" else "2s"
            subject = driver(app, server.routes(), timeout=timeout)
            assert await subject.final_reads(times=2) is False
            app.wrong_reads = None
            assert await subject.final_reads(times=5) is True
        is_sound(app.history)
        kinds = [(e.op, e.type) for e in app.history if e.type != "invoke"]
        assert kinds == [
            ("read", "fail"),
            ("read", "fail"),
            ("truth", "fail"),
            ("truth", "fail"),
            ("read", "ok"),
            ("truth", "ok"),
        ]
        assert {e.process for e in app.history} == {0}

    await asyncio.gather(*map(case, ["503", "404", "stall", "close"]))


async def test_after_an_info_the_client_goes_on_as_a_new_process() -> None:
    app = App()
    app.wrong = "503"
    async with serving(app) as server:
        await ran(driver(app, server.routes(), reads="1/m"), 0.15)
    is_sound(app.history)
    processes = [e.process for e in app.history if e.type == "invoke" and e.op == "add"]
    assert len(processes) == len(set(processes)) > 5
    retired = {e.process for e in app.history if e.type == "info"}
    assert all(p < 3 or p - 3 in retired for p in processes)


async def test_busy_clients_make_operations_late_and_it_is_recorded() -> None:
    app = App()
    app.wrong = "slow"  # three clients at 30 ms each do 100/s; 300/s are due
    async with serving(app) as server:
        subject = driver(app, server.routes(), rate="300/s")
        await ran(subject, 0.2)
    is_sound(app.history)
    assert 5 <= len(ended(app.history)) <= 45
    assert subject.lateness_p99 > 0.05


async def test_every_deadline_is_the_drivers_own() -> None:
    app = App()
    app.wrong = "stall after"
    async with serving(app) as server:
        await ran(driver(app, server.routes(), timeout="100ms"), 0.15)
    is_sound(app.history)
    invoked = {e.id: e.t for e in app.history if e.type == "invoke"}
    adds = ended(app.history)
    assert len(adds) >= 3
    assert all(0.09 < e.t - invoked[e.id] < 0.1 + 0.25 for e in adds)
    assert all(e.type == "info" and isinstance(e.value, int) for e in adds)


async def test_an_interrupted_run_closes_the_history() -> None:
    app = App()
    app.wrong = "stall"
    async with serving(app) as server:
        subject = driver(app, server.routes(), timeout="30s")
        task = asyncio.create_task(subject.run(asyncio.Event()))
        await asyncio.sleep(0.1)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - start < 0.5
    is_sound(app.history)
    assert {e.error for e in ended(app.history)} == {"the run was interrupted"}


async def test_values_differ_between_seeds_and_repeat_with_one() -> None:
    subject = workload()

    def first(seed: int) -> object:
        generator = SetGenerator(subject, "members", seed)
        adds = generator.streams()[0]
        return adds.next(None, 0).value  # type: ignore[arg-type] # a set needs no random numbers

    assert first(1) == first(1)
    assert len({first(seed) for seed in range(50)}) == 50


@pytest.mark.parametrize(
    ("value", "result"),
    [(["1000001", 2, "x", "-3"], [1000001, 2, "x", "-3"]), ([], [])],
)
async def test_numbers_that_a_store_returns_as_text_are_numbers(value: Any, result: Any) -> None:
    generator = SetGenerator(workload(), "members", 1)
    assert generator.returned(Step("read", write=False), value) == result


@pytest.mark.parametrize("value", [None, 3, "x", {"a": 1}, [[1, 2]], [{"a": 1}]])
async def test_a_read_that_is_no_list_of_values_is_not_a_read(value: Any) -> None:
    generator = SetGenerator(workload(), "members", 1)
    with pytest.raises(ValueError, match="the read"):
        generator.returned(Step("read", write=False), value)


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.kind)
async def test_the_example_of_every_workload_validates(kind: type[Workload]) -> None:
    subject = kind.model_validate(yaml.safe_load(kind.example))
    assert subject.workload == kind.kind
    assert subject.targets()
    assert Driver("w", subject, FixedRoutes({}), Clock(), print, 1).acknowledged == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"add": {"http": "POST http://chat:8082/{valu}"}},
            "`{valu}` is not known here, only {value}, {id}",
        ),
        ({"add": {"http": "POST http://chat:8082/"}}, "`{value}` has to appear"),
        ({"read": {"http": "GET http://chat:8082/{value}", "values": "$"}}, "only {id}"),
        ({"read": {"http": "GET http://chat:8082/"}}, "a read over http needs `values:`"),
        ({"clients": 0}, "greater than or equal to 1"),
    ],
)
async def test_mistakes_are_found_when_the_scenario_is_read(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workload(**fields)
    assert message in str(caught.value)
