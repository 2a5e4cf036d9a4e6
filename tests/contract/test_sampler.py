"""The schedule holds whatever the system does, and every deadline is our own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chaoskit.clock import Clock
from chaoskit.fields import Duration
from chaoskit.probes._base import Observed, Probe, Session
from chaoskit.probes.http import HttpProbe
from chaoskit.probes.postgres import PostgresProbe
from chaoskit.probes.sampler import sample
from chaoskit.records import Sample
from chaoskit.stack.routes import Routes
from tests.fakes import virtual_time
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import Server, http, misbehaving, serve
from tests.fakes.virtual_time import stall, virtual

TIMEOUT = 5.0  # of a scripted probe, which observes once a second
PATIENCE = 30  # seconds that real sockets may take on a busy machine


@dataclass
class Book:
    """What happened to the sessions of a scripted probe."""

    behave: Callable[[int], Observed | BaseException | float]
    opened: int = 0
    closed: int = 0
    running: int = 0
    most: int = 0
    used: list[int] = field(default_factory=list)
    slow_close: float = 0.0
    refuse: str | None = None


class ScriptedProbe(Probe):
    """Does what a test tells it."""

    book: object

    async def connect(self, routes: Routes) -> ScriptedSession:
        book = self.book
        assert isinstance(book, Book)
        if book.refuse:
            raise RuntimeError(book.refuse)
        book.opened += 1
        return ScriptedSession(book, book.opened)


class ScriptedSession(Session):
    def __init__(self, book: Book, number: int) -> None:
        self._book = book
        self._number = number

    async def observe(self) -> Observed:
        book = self._book
        book.used.append(self._number)
        book.running += 1
        book.most = max(book.most, book.running)
        try:
            what = book.behave(len(book.used))
            if isinstance(what, BaseException):
                raise what
            if isinstance(what, float):
                await asyncio.sleep(what)
                return Observed(True)
            return what
        finally:
            book.running -= 1

    async def close(self) -> None:
        await asyncio.sleep(self._book.slow_close)
        self._book.closed += 1


def scripted(book: Book, timeout: float = TIMEOUT, **more: str) -> ScriptedProbe:
    fields = {"probe": "x", "every": Duration(1), "timeout": Duration(timeout), "book": book}
    return ScriptedProbe.model_validate(fields | more)


async def sampled(probe: Probe, seconds: float) -> list[Sample]:
    """Sample for some seconds of virtual time."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    samples: list[Sample] = []
    await sample("p", probe, FixedRoutes({}), virtual_time.clock(), samples.append, stop)
    return samples


def dues(samples: list[Sample]) -> list[float]:
    return [sample.due for sample in samples]


def took(samples: list[Sample]) -> list[tuple[float, float]]:
    """Return how late each was sent, and how long it took."""
    return [(sample.sent - sample.due, sample.done - sample.sent) for sample in samples]


@virtual
async def test_due_times_are_fixed_and_one_session_is_kept() -> None:
    book = Book(lambda n: Observed(True, value=n))
    samples = await sampled(scripted(book), 6.5)
    assert dues(samples) == [0, 1, 2, 3, 4, 5, 6]
    assert took(samples) == [(0, 0)] * 7
    assert [(s.outcome, s.value) for s in samples] == [("ok", n) for n in range(1, 8)]
    assert (book.opened, book.closed) == (1, 1)


@virtual
async def test_a_stalled_system_delays_no_due_time_and_every_deadline_holds() -> None:
    book = Book(lambda n: 60.0)
    samples = await sampled(scripted(book), 6.5)
    assert dues(samples) == [0, 1, 2, 3, 4, 5, 6]
    assert took(samples) == [(0, TIMEOUT)] * 7
    assert {s.error for s in samples} == {"no answer within 5s"}
    assert book.most == 6  # five in flight, and one being thrown away
    assert book.opened == book.closed == 7


@pytest.mark.parametrize(("slow_close", "end"), [(1.0, 12.05), (60.0, 13.05)])
@virtual
async def test_a_session_that_closes_slowly_holds_nothing_up(slow_close: float, end: float) -> None:
    book = Book(lambda n: 60.0, slow_close=slow_close)
    samples = await sampled(scripted(book), 6.5)
    assert took(samples) == [(0, TIMEOUT)] * 7
    assert virtual_time.now() == end  # the last deadline, the close or its bound, the grace
    assert book.running == 0


@virtual
async def test_slow_answers_use_several_sessions_which_are_kept() -> None:
    book = Book(lambda n: 2.5)
    samples = await sampled(scripted(book), 6.5)
    assert took(samples) == [(0, 2.5)] * 7
    assert {s.outcome for s in samples} == {"ok"}
    assert book.used == [1, 2, 3, 1, 2, 3, 1]
    assert book.opened == book.closed == 3


@virtual
async def test_connection_new_opens_and_closes_one_for_each_observation() -> None:
    book = Book(lambda n: Observed(True))
    assert len(await sampled(scripted(book, connection="new"), 4.5)) == 5
    assert book.used == [1, 2, 3, 4, 5]
    assert book.closed == 5


@virtual
async def test_a_broken_session_is_discarded_and_an_unhappy_one_kept() -> None:
    gone, unhappy = Observed(False, "connection closed", broken=True), Observed(False, "status 503")
    book = Book(lambda n: gone if n == 2 else unhappy)
    samples = await sampled(scripted(book), 3.5)
    assert book.used == [1, 1, 2, 2]
    errors = ["status 503", "connection closed", "status 503", "status 503"]
    assert [s.error for s in samples] == errors


@virtual
async def test_after_a_broken_session_no_other_old_one_is_used() -> None:
    def behave(n: int) -> Observed | float:
        if n <= 4:
            return 3.5  # four sessions at once
        return Observed(False, "connection closed", broken=True) if n == 9 else Observed(True)

    book = Book(behave)
    await sampled(scripted(book), 10.5)
    assert book.used[:4] == [1, 2, 3, 4]
    assert set(book.used[4:9]) <= {1, 2, 3, 4}
    assert book.used[9:] == [5, 5]
    assert book.opened == book.closed == 5


@virtual
async def test_an_error_nobody_expected_is_a_failed_sample_on_one_line() -> None:
    book = Book(lambda n: ValueError("odd\nthing " + "x" * 500) if n == 1 else Observed(True))
    samples = await sampled(scripted(book), 1.5)
    assert [s.outcome for s in samples] == ["fail", "ok"]
    error = samples[0].error or ""
    assert error.startswith("ValueError: odd thing xxx")
    assert len(error) == 200
    assert book.used == [1, 2]


@virtual
async def test_an_error_while_connecting_is_a_failed_sample() -> None:
    book = Book(lambda n: Observed(True), refuse="no")
    samples = await sampled(scripted(book), 2.5)
    assert [(s.outcome, s.error) for s in samples] == [("fail", "RuntimeError: no")] * 3


@virtual
async def test_times_missed_by_a_late_loop_are_made_up_for_in_a_bounded_burst() -> None:
    book = Book(lambda n: 2.0)
    asyncio.get_running_loop().call_later(3.5, stall, 24)  # until 27.5
    samples = sorted(await sampled(scripted(book, timeout=10), 33.5), key=lambda s: s.due)
    assert dues(samples) == list(range(34))
    # Never more than 12 at a time, each of them for 2 s; then on time again.
    sent = [0, 1, 2, 3] + [27.5] * 12 + [29.5] * 12 + [31.5] * 4 + [32, 33]
    assert [s.sent for s in samples] == sent
    assert book.most == 12
    assert {s.outcome for s in samples} == {"ok"}


@virtual
async def test_how_long_the_loop_stood_still_is_written_beside_each_sample() -> None:
    book = Book(lambda n: 0.5)
    asyncio.get_running_loop().call_later(2.25, stall, 0.7)
    samples = await sampled(scripted(book), 4.2)
    assert [round(one.stalled, 1) for one in samples] == [0, 0, 0.7, 0, 0]
    assert round(samples[2].lateness, 1) == 0.7


@virtual
async def test_cancelling_ends_promptly_and_closes_every_session() -> None:
    book = Book(lambda n: 60.0)
    task = asyncio.create_task(sampled(scripted(book, timeout=30), 60))
    await asyncio.sleep(4.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert virtual_time.now() == 4.55  # one grace for all of them
    assert book.opened == book.closed == 5
    assert book.running == 0


@virtual
async def test_what_emit_raises_ends_the_sampling() -> None:
    def emit(sample: Sample) -> None:
        raise OSError("disk full")

    book = Book(lambda n: Observed(True))
    clock, routes = virtual_time.clock(), FixedRoutes({})
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await sample("p", scripted(book), routes, clock, emit, asyncio.Event())
    assert virtual_time.now() < 2


# -- over real sockets: nothing here depends on how fast the machine is --------------------------


async def sampled_over(
    server: Server, kind: type[Probe], count: int, **fields: str
) -> list[Sample]:
    """Sample over real sockets until `count` observations are done; others may be in flight."""
    probe = kind.model_validate(fields)
    probe.load()
    stop = asyncio.Event()
    samples: list[Sample] = []

    def emit(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) >= count:
            stop.set()

    async with asyncio.timeout(PATIENCE):
        await sample("p", probe, server.routes(), Clock(), emit, stop)
    return samples


@pytest.mark.parametrize(
    ("kind", "url", "read"),
    [
        (HttpProbe, "http://chat:8082/", True),
        (HttpProbe, "http://chat:8082/", False),
        (PostgresProbe, "postgres://u:p@chat:8082/d", True),
    ],
    ids=["http", "http-that-is-not-read", "postgres"],
)
async def test_a_silent_server_changes_neither_schedule_nor_deadline(
    kind: type[Probe], url: str, read: bool
) -> None:
    times = {"every": "10ms", "timeout": "50ms"}
    async with serve(misbehaving("stall", read=read)) as server:
        name = kind.kind
        samples = await sampled_over(server, kind, 4, probe=name, url=url, **times)
    gc.collect()
    first = min(dues(samples))
    assert sorted(dues(samples)) == [first + count * 0.01 for count in range(len(samples))]
    assert all(s.due <= s.sent for s in samples)
    assert {s.error for s in samples} == {"no answer within 50ms"}
    assert all(0.05 <= s.done - s.sent < 5 for s in samples)  # psycopg itself would wait for ever


@pytest.mark.parametrize("connection", ["keep", "new"])
async def test_http_keeps_one_connection_or_opens_new_ones_as_asked(connection: str) -> None:
    url = "http://chat:8082/"
    times = {"every": "10ms", "timeout": "30s"}
    async with serve(http(lambda seen: (200, {}))) as server:
        samples = await sampled_over(
            server, HttpProbe, 5, probe="http", url=url, connection=connection, **times
        )
    assert {s.outcome for s in samples} == {"ok"}
    assert len(server.requests) == len(samples) >= 5
    if connection == "new":
        assert server.connections == len(samples)
    else:  # as many as were ever in use at once: one, unless the machine was slow
        in_use = [sum(s.sent <= at.sent <= s.done for s in samples) for at in samples]
        assert server.connections <= max(in_use)
