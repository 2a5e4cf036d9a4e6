"""The history is sound: invoked before sent, doubt retires a process, late is recorded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import pytest
import yaml
from pydantic import ValidationError

from chaoskit.clock import Clock
from chaoskit.records import Event, Json, Omitted, Schedule
from chaoskit.stack.routes import Routes
from chaoskit.workloads._base import REGISTRY, Step, Workload
from chaoskit.workloads.driver import Driver
from chaoskit.workloads.operations._base import OperationModel, Reply
from chaoskit.workloads.set import SetGenerator, SetWorkload
from tests.fakes import virtual_time
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import Misbehave, Seen, http, refused_routes, serve
from tests.fakes.virtual_time import virtual

PATIENCE = 30  # seconds that real sockets may take on a busy machine
FIELDS: dict[str, Any] = {
    "workload": "set",
    "rate": "4/s",
    "clients": 3,
    "timeout": "2s",
    "reads": "1/m",
    "add": {"http": "POST http://chat:8082/v", "json": {"v": "{value}"}, "ok": [201]},
    "read": {"http": "GET http://chat:8082/v", "values": "$.all[*]"},
    "truth": {"http": "GET http://chat:8082/truth", "values": "$.all"},
}


def ended(history: list[Event], op: str = "add") -> list[Event]:
    return [e for e in history if e.op == op and e.type != "invoke"]


def times(history: list[Event], kind: str, op: str = "add") -> list[float]:
    return [e.t for e in history if (e.op, e.type) == (op, kind)]


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


# -- what the driver does, in virtual time -------------------------------------------------------

FOREVER = 3600.0


@dataclass
class App:
    """A set of values. Writes and reads take some seconds, or end as a test says."""

    writes: float | Reply | BaseException = 0.0
    reads: float | Reply | BaseException = 0.0
    values: list[int] = field(default_factory=list)
    history: list[Event] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    opened: int = 0
    closed: int = 0


class Scripted(SetWorkload):
    """A set whose operations go to an app in memory."""

    app: object

    def operations(self) -> Mapping[str, OperationModel]:
        assert isinstance(self.app, App)
        return {op: ScriptedOperation(app=self.app, op=op) for op in super().operations()}


class ScriptedOperation(OperationModel):
    app: object
    op: str

    def connect(self, routes: Routes) -> ScriptedSession:
        assert isinstance(self.app, App)
        self.app.opened += 1
        return ScriptedSession(self.app, self.op)


class ScriptedSession:
    def __init__(self, app: App, op: str) -> None:
        self._app = app
        self._op = op

    async def run(self, fields: Mapping[str, Json]) -> Reply:
        app, write = self._app, self._op == "add"
        number = cast("int", fields["id"])
        assert number not in app.sent
        assert number in [e.id for e in app.history if e.type == "invoke"]
        app.sent.append(number)
        if write:
            app.values.append(cast("int", fields["value"]))
        does = app.writes if write else app.reads
        if isinstance(does, BaseException):
            raise does
        if isinstance(does, Reply):
            return does
        await asyncio.sleep(does)
        return Reply("ok") if write else Reply("ok", value=list(app.values))

    async def close(self) -> None:
        self._app.closed += 1


def scripted(app: App, **fields: Any) -> Driver:
    workload = Scripted.model_validate(FIELDS | fields | {"app": app})
    clock = virtual_time.clock()
    return Driver("members", workload, FixedRoutes({}), clock, app.history.append, 1)


async def ran(subject: Driver, seconds: float) -> Schedule:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return await subject.run(stop)


@virtual
async def test_a_good_run_is_recorded_completely() -> None:
    app = App()
    subject = scripted(app, reads="1/s")
    await ran(subject, 2.6)
    assert await subject.final_reads()
    is_sound(app.history)
    views = [("invoke", "read"), ("ok", "read"), ("invoke", "truth"), ("ok", "truth")]
    assert [(e.type, e.op) for e in app.history[:4]] == views
    assert [(e.type, e.op) for e in app.history[-4:]] == views
    assert [e.value for e in app.history[1:4:2]] == [[], []]
    assert [e.value for e in app.history[-3::2]] == [app.values, app.values]
    due = [count / 4 for count in range(11)]
    assert times(app.history, "invoke") == times(app.history, "ok") == due
    assert times(app.history, "ok", "read") == [0, 1, 2, 2.6]
    adds = [e.value for e in ended(app.history)]
    assert adds == app.values == list(range(app.values[0], app.values[0] + 11))
    assert 1_000_000 <= app.values[0] < 2_000_000
    assert subject.counts == {"add": Counter(ok=11), "read": Counter(ok=4), "truth": Counter(ok=2)}
    assert subject.acknowledged == 11
    added = [e for e in app.history if e.op == "add"]
    assert [e.due for e in added] == [t for d in due for t in (d, None)]
    assert {e.workload for e in app.history} == {"members"}
    assert app.opened == app.closed


@pytest.mark.parametrize(
    ("writes", "outcome", "error"),
    [
        (Reply("info", error="status 503"), "info", "status 503"),
        (Reply("fail", error="status 409"), "fail", "status 409"),
        (FOREVER, "info", "no answer within 2s"),
        (OSError("odd\nthing"), "info", "OSError: odd thing"),
        (asyncio.CancelledError(), "info", "cancelled by the client library"),
    ],
    ids=["info", "fail", "stalls", "raises", "cancels-itself"],
)
@virtual
async def test_how_a_write_went_wrong_says_how_it_ended(
    writes: float | Reply | BaseException, outcome: str, error: str
) -> None:
    app = App(writes)
    subject = scripted(app)
    await ran(subject, 1.1)
    is_sound(app.history)
    assert [(e.type, e.error) for e in ended(app.history)] == [(outcome, error)] * len(app.values)
    assert [e.value for e in ended(app.history)] == app.values
    assert len(app.values) == (3 if writes == FOREVER else 5)
    assert subject.acknowledged == 0
    assert app.opened == app.closed


@virtual
async def test_a_read_that_went_wrong_is_fail_and_is_tried_again() -> None:
    app = App(reads=FOREVER)
    subject = scripted(app)
    assert await subject.final_reads(times=2) is False
    app.reads = Reply("ok", value="no list")
    assert await subject.final_reads(times=1) is False
    app.reads = 0.0
    assert await subject.final_reads(times=5) is True
    is_sound(app.history)
    seen = [(e.op, e.type, e.t) for e in app.history if e.type != "invoke"]
    assert seen == [
        ("read", "fail", 2),
        ("read", "fail", 4.2),  # 0.2 s between two tries
        ("truth", "fail", 6.2),
        ("truth", "fail", 8.4),
        ("read", "fail", 8.45),  # its connection was being given up
        ("truth", "fail", 8.45),
        ("read", "ok", 8.45),
        ("truth", "ok", 8.45),
    ]
    assert {e.process for e in app.history} == {0}
    assert app.opened == app.closed


@virtual
async def test_after_an_info_the_client_goes_on_as_a_new_process() -> None:
    app = App(Reply("info", error="status 503"))
    await ran(scripted(app), 2.1)
    is_sound(app.history)
    processes = [e.process for e in app.history if e.type == "invoke" and e.op == "add"]
    assert processes == list(range(9))  # three clients, one after the other


@virtual
async def test_after_a_fail_the_client_stays_the_process_it_was() -> None:
    app = App(Reply("fail", error="connection refused"))
    await ran(scripted(app), 2.1)
    is_sound(app.history)
    processes = [e.process for e in app.history if e.type == "invoke" and e.op == "add"]
    assert processes == [0, 1, 2] * 3


@virtual
async def test_busy_clients_send_late_and_in_order_and_it_is_recorded() -> None:
    app = App(1.0)  # three clients do 3/s; 8/s are due
    schedule = await ran(scripted(app, rate="8/s"), 4.5)
    is_sound(app.history)
    sent = [count // 3 + (count % 3) / 8 for count in range(15)]
    assert times(app.history, "invoke") == sent
    assert times(app.history, "ok") == [t + 1 for t in sent]
    added = [e for e in app.history if (e.op, e.type) == ("add", "invoke")]
    assert [e.due for e in added] == [count / 8 for count in range(15)]
    # 36 were due before 4.5 s; the read of the minute was not
    assert schedule == Schedule(0.0, 4.5, 2.0, (Omitted("add", 21, 15 / 8, 35 / 8),))


@virtual
async def test_an_app_that_hangs_gets_what_was_due_meanwhile_as_soon_as_it_answers() -> None:
    app = App(0.0)
    loop = asyncio.get_running_loop()
    loop.call_later(0.9, setattr, app, "writes", 3.0)
    loop.call_later(1.1, setattr, app, "writes", 0.0)
    schedule = await ran(scripted(app, clients=1, timeout="9s"), 5.1)  # 4/s
    due = [e.due for e in app.history if (e.op, e.type) == ("add", "invoke")]
    assert due == [count / 4 for count in range(21)]
    assert times(app.history, "invoke")[4:17] == [1.0, *[4.0] * 12]  # one hangs, then all at once
    assert schedule.omitted == ()


@virtual
async def test_clients_that_are_busy_when_the_run_stops_do_not_make_more_due() -> None:
    app = App(FOREVER)
    schedule = await ran(scripted(app, clients=1, timeout="20s", reads="2/s"), 2.1)
    assert (schedule.start, schedule.end) == (0.0, 2.1)
    assert virtual_time.now() == pytest.approx(20.05, abs=0.1)
    # 9 adds were due, and 4 reads of which nobody knows yet what they are called
    assert schedule.omitted == (Omitted("add", 8, 0.25, 2.0), Omitted("read", 4, 0.5, 2.0))


@virtual
async def test_a_run_that_stops_during_its_first_reads_had_nothing_due() -> None:
    app = App(reads=1.0)
    schedule = await ran(scripted(app), 0.5)
    assert schedule.omitted == ()
    assert times(app.history, "invoke") == []


@virtual
async def test_every_deadline_is_the_drivers_own() -> None:
    app = App(FOREVER)
    await ran(scripted(app), 5)
    is_sound(app.history)
    sent = [0, 0.25, 0.5, 2, 2.25, 2.5, 4, 4.25, 4.5]
    assert times(app.history, "invoke") == sent
    assert times(app.history, "info") == [t + 2 for t in sent]


@virtual
async def test_an_interrupted_run_closes_the_history() -> None:
    app = App(FOREVER)
    task = asyncio.create_task(scripted(app, timeout="30s").run(asyncio.Event()))
    await asyncio.sleep(0.6)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert virtual_time.now() == 0.65  # one grace for all of them
    is_sound(app.history)
    assert [(e.t, e.error) for e in ended(app.history)] == [(0.6, "the run was interrupted")] * 3
    assert app.opened == app.closed


# -- over real sockets: nothing here depends on how fast the machine is --------------------------


class HttpApp:
    """The same set behind http, and a switch for what it does wrong."""

    def __init__(self, wrong: str | None = None, *, reads: str | None = None) -> None:
        self.wrong = wrong
        self.wrong_reads = reads
        self.values: list[int] = []
        self.history: list[Event] = []
        self.seen_before_sending = True

    def answer(self, seen: Seen) -> tuple[int, Any]:
        wrong = self.wrong if seen.method == "POST" else self.wrong_reads
        if seen.method == "POST":
            value = json.loads(seen.body)["v"]
            invoked = [e for e in self.history if e.type == "invoke" and e.value == value]
            self.seen_before_sending &= len(invoked) == 1
            self.values.append(value)
        if wrong in ("stall", "close", "reset"):
            raise Misbehave(wrong)
        if wrong is not None:
            return int(wrong), {}
        return (201, {}) if seen.method == "POST" else (200, {"all": list(self.values)})


def workload(**fields: Any) -> SetWorkload:
    return SetWorkload.model_validate(FIELDS | {"rate": "100/s", "timeout": "30s"} | fields)


def driver(app: HttpApp, routes: Routes, **fields: Any) -> Driver:
    return Driver("members", workload(**fields), routes, Clock(), app.history.append, 1)


@pytest.fixture
def quick_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaoskit.workloads.driver.VIEW_SPACING", 0.01)


async def ran_over_http(subject: Driver, adds: int = 6, reads: int = 0) -> None:
    """Run until so many operations ended."""
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(subject.run(stop))
        counts = subject.counts
        while counts["add"].total() < adds or counts["read"].total() < reads:
            await asyncio.sleep(0.005)
        stop.set()


async def test_over_http_what_is_acknowledged_was_written_once_and_is_read_back() -> None:
    app = HttpApp()
    async with serve(http(app.answer)) as server:
        subject = driver(app, server.routes(), reads="50/s")
        await ran_over_http(subject, adds=10, reads=3)
        assert await subject.final_reads()
        assert server.connections <= 3 * 3 + 2
    is_sound(app.history)
    assert app.seen_before_sending
    adds = ended(app.history)
    assert subject.counts["add"] == Counter(ok=len(adds))
    assert sorted(e.value for e in adds) == sorted(app.values)
    assert [e.value for e in app.history[-3::2]] == [app.values, app.values]


@pytest.mark.parametrize(
    ("wrong", "outcome", "error"),
    [
        ("503", "info", "status 503"),
        ("409", "fail", "status 409"),
        ("200", "info", "status 200"),
        ("close", "info", "connection closed"),
        ("reset", "info", "connection reset"),
    ],
)
async def test_over_http_a_write_that_went_wrong_is_not_sent_again(
    wrong: str, outcome: str, error: str
) -> None:
    app = HttpApp(wrong)
    async with serve(http(app.answer)) as server:
        await ran_over_http(driver(app, server.routes()))
    is_sound(app.history)
    assert {(e.type, e.error) for e in ended(app.history)} == {(outcome, error)}
    assert len(app.values) == len(set(app.values)) == len(ended(app.history))


@pytest.mark.usefixtures("quick_views")
async def test_over_http_an_app_that_never_answers_holds_nobody_longer_than_the_deadline() -> None:
    app = HttpApp("stall", reads="stall")
    async with serve(http(app.answer)) as server:
        await ran_over_http(driver(app, server.routes(), timeout="50ms"))
    is_sound(app.history)
    assert {(e.type, e.error) for e in ended(app.history)} == {("info", "no answer within 50ms")}
    assert {e.type for e in ended(app.history, "read")} == {"fail"}
    assert len(app.values) == len(set(app.values))
    invoked = {e.id: e.t for e in app.history if e.type == "invoke"}
    took = [e.t - invoked[e.id] for e in app.history if e.type != "invoke"]
    assert all(0.05 <= seconds < 5 for seconds in took)


@pytest.mark.usefixtures("quick_views")
async def test_refused_writes_are_fail_and_retire_nobody() -> None:
    app = HttpApp()
    await ran_over_http(driver(app, refused_routes()))
    is_sound(app.history)
    assert {(e.type, e.error) for e in ended(app.history)} == {("fail", "connection refused")}
    assert {e.process for e in app.history} <= {0, 1, 2}


@pytest.mark.usefixtures("quick_views")
@pytest.mark.parametrize("wrong", ["503", "404", "close"])
async def test_over_http_a_read_that_went_wrong_is_fail_and_is_tried_again(
    wrong: str,
) -> None:
    app = HttpApp(reads=wrong)
    async with serve(http(app.answer)) as server:
        subject = driver(app, server.routes())
        assert await subject.final_reads(times=2) is False
        app.wrong_reads = None
        assert await subject.final_reads(times=5) is True
    is_sound(app.history)
    kinds = [(e.op, e.type) for e in app.history if e.type != "invoke"]
    wrong_ones = [("read", "fail")] * 2 + [("truth", "fail")] * 2
    assert kinds == [*wrong_ones, ("read", "ok"), ("truth", "ok")]


# -- the set, and what every workload shares -----------------------------------------------------


def test_values_differ_between_seeds_and_repeat_with_one() -> None:
    subject = workload()

    def first(seed: int) -> object:
        generator = SetGenerator(subject, "members", seed)
        adds = generator.streams()[0]
        step = adds.next(Random(1), 0)
        assert step is not None
        return step.value

    assert first(1) == first(1)
    assert len({first(seed) for seed in range(50)}) == 50


@pytest.mark.parametrize(
    ("value", "result"),
    [(["1000001", 2, "x", "-3"], [1000001, 2, "x", "-3"]), ([], [])],
)
def test_numbers_that_a_store_returns_as_text_are_numbers(value: Any, result: Any) -> None:
    generator = SetGenerator(workload(), "members", 1)
    assert generator.returned(Step("read", write=False), value) == result


@pytest.mark.parametrize("value", [None, 3, "x", {"a": 1}, [[1, 2]], [{"a": 1}]])
def test_a_read_that_is_no_list_of_values_is_not_a_read(value: Any) -> None:
    generator = SetGenerator(workload(), "members", 1)
    with pytest.raises(ValueError, match="the read"):
        generator.returned(Step("read", write=False), value)


@pytest.mark.parametrize("kind", list(REGISTRY), ids=lambda kind: kind.kind)
def test_the_example_of_every_workload_validates(kind: type[Workload]) -> None:
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
def test_mistakes_are_found_when_the_scenario_is_read(fields: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        workload(**fields)
    assert message in str(caught.value)
