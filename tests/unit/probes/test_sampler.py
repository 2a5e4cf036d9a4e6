"""The schedule holds whatever the system does, and every deadline is our own."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chaoskit.clock import Clock
from chaoskit.fields import Duration
from chaoskit.probes._base import Observed, Probe
from chaoskit.probes.http import HttpProbe
from chaoskit.probes.postgres import PostgresProbe
from chaoskit.probes.sampler import sample
from chaoskit.records import Sample
from chaoskit.stack.routes import FixedRoutes, Routes
from tests.fakes.local_servers import http, misbehaving, serve

SLACK = 0.25  # seconds that a busy machine may add

pytestmark = pytest.mark.asyncio


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


class ScriptedSession:
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


def scripted(book: Book, every: float = 0.02, timeout: float = 1, **more: str) -> ScriptedProbe:
    return ScriptedProbe.model_validate(
        {"probe": "x", "every": Duration(every), "timeout": Duration(timeout), "book": book, **more}
    )


async def sampled(probe: Probe, seconds: float, routes: Routes | None = None) -> list[Sample]:
    probe.load()
    stop = asyncio.Event()
    samples: list[Sample] = []
    task = asyncio.create_task(
        sample("p", probe, routes or FixedRoutes({}), Clock(), samples.append, stop)
    )
    await asyncio.sleep(seconds)
    stop.set()
    await asyncio.wait_for(task, 3)
    return samples


def keeps_the_schedule(samples: list[Sample], every: float) -> None:
    dues = sorted(s.due for s in samples)
    assert all(abs(later - earlier - every) < 1e-6 for earlier, later in itertools.pairwise(dues))
    assert all(s.due <= s.sent <= s.done for s in samples)


async def test_due_times_are_fixed_and_one_session_is_kept() -> None:
    book = Book(lambda n: Observed(True, value=n))
    samples = await sampled(scripted(book), 0.14)
    assert 6 <= len(samples) <= 12
    keeps_the_schedule(samples, 0.02)
    assert {s.outcome for s in samples} == {"ok"}
    assert (book.opened, book.closed) == (1, 1)


async def test_a_stalled_system_delays_no_due_time_and_every_deadline_holds() -> None:
    book = Book(lambda n: 60.0)
    samples = await sampled(scripted(book, timeout=0.1), 0.14)
    assert 6 <= len(samples) <= 12
    keeps_the_schedule(samples, 0.02)
    assert all(s.error == "no answer within 100ms" for s in samples)
    assert all(0.09 < s.done - s.sent < 0.1 + SLACK for s in samples)
    assert book.most <= (0.1 + 0.05) / 0.02 + 3  # in flight, and being thrown away
    assert book.opened == book.closed == len(samples)


async def test_a_session_that_closes_slowly_holds_nothing_up() -> None:
    book = Book(lambda n: 60.0, slow_close=0.1)
    samples = await sampled(scripted(book, timeout=0.1), 0.12)
    assert len(samples) >= 5
    assert all(s.done - s.sent < 0.1 + SLACK for s in samples)


async def test_slow_answers_use_several_sessions_which_are_kept() -> None:
    book = Book(lambda n: 0.05)
    samples = await sampled(scripted(book), 0.15)
    assert {s.outcome for s in samples} == {"ok"}
    assert 3 <= book.opened <= 7
    assert book.closed == book.opened


async def test_connection_new_opens_and_closes_one_for_each_observation() -> None:
    book = Book(lambda n: Observed(True))
    samples = await sampled(scripted(book, connection="new"), 0.1)
    assert book.opened == book.closed == len(samples)


async def test_a_broken_session_is_discarded_and_an_unhappy_one_kept() -> None:
    book = Book(
        lambda n: (
            Observed(False, "connection closed", broken=True)
            if n == 2
            else Observed(False, "status 503")
        )
    )
    samples = await sampled(scripted(book), 0.1)
    assert book.used[:4] == [1, 1, 2, 2]
    assert [s.error for s in samples[:3]] == ["status 503", "connection closed", "status 503"]


async def test_after_a_broken_session_no_other_old_one_is_used() -> None:
    def behave(n: int) -> Observed | float:
        if n <= 4:
            return 0.07  # four sessions at once
        return Observed(False, "connection closed", broken=True) if n == 9 else Observed(True)

    book = Book(behave)
    await sampled(scripted(book), 0.22)
    assert book.used[9] > max(book.used[:9])


async def test_an_error_nobody_expected_is_a_failed_sample_on_one_line() -> None:
    book = Book(lambda n: ValueError("odd\nthing " + "x" * 500) if n == 1 else Observed(True))
    samples = await sampled(scripted(book), 0.06)
    assert samples[0].outcome == "fail"
    error = samples[0].error or ""
    assert error.startswith("ValueError: odd thing xxx")
    assert len(error) == 200
    assert samples[1].outcome == "ok"
    assert book.opened == 2


async def test_an_error_while_connecting_is_a_failed_sample() -> None:
    book = Book(lambda n: Observed(True), refuse="no")
    samples = await sampled(scripted(book), 0.06)
    assert {(s.outcome, s.error) for s in samples} == {("fail", "RuntimeError: no")}


async def test_times_missed_by_a_late_loop_are_made_up_for_in_a_bounded_burst() -> None:
    book = Book(lambda n: 0.01)
    stop = asyncio.Event()
    samples: list[Sample] = []
    probe = scripted(book, every=0.005, timeout=0.05)
    task = asyncio.create_task(sample("p", probe, FixedRoutes({}), Clock(), samples.append, stop))
    await asyncio.sleep(0.02)
    time.sleep(0.12)
    await asyncio.sleep(0.08)
    stop.set()
    await task
    assert len(samples) >= 30
    keeps_the_schedule(samples, 0.005)
    assert max(s.sent - s.due for s in samples) > 0.1
    assert book.most <= 12


async def test_cancelling_ends_promptly_and_closes_every_session() -> None:
    book = Book(lambda n: 60.0)
    probe = scripted(book, timeout=30)
    task = asyncio.create_task(
        sample("p", probe, FixedRoutes({}), Clock(), lambda s: None, asyncio.Event())
    )
    await asyncio.sleep(0.05)
    start = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - start < 0.5
    assert book.opened == book.closed > 0
    assert book.running == 0


async def test_what_emit_raises_ends_the_sampling() -> None:
    def emit(sample: Sample) -> None:
        raise OSError("disk full")

    book = Book(lambda n: Observed(True))
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await sample("p", scripted(book), FixedRoutes({}), Clock(), emit, asyncio.Event())


async def test_a_silent_server_changes_neither_schedule_nor_deadline() -> None:
    fields = {"every": "20ms", "timeout": "60ms"}
    http_probe = HttpProbe.model_validate({"probe": "http", "url": "http://chat:8082/"} | fields)
    postgres = {"probe": "postgres", "url": "postgres://u:p@chat:8082/d"}
    postgres_probe = PostgresProbe.model_validate(postgres | fields)

    async def case(probe: Probe, *, read: bool) -> None:
        async with serve(misbehaving("stall", read=read)) as server:
            start = time.monotonic()
            samples = await sampled(probe, 0.12, server.routes())
        assert time.monotonic() - start < 1
        assert len(samples) >= 5
        keeps_the_schedule(samples, 0.02)
        assert all(s.done - s.sent < 0.06 + SLACK for s in samples)
        assert {s.error for s in samples} == {"no answer within 60ms"}

    http_probe.load()
    postgres_probe.load()
    await asyncio.gather(
        case(http_probe, read=True), case(http_probe, read=False), case(postgres_probe, read=True)
    )


async def test_http_keeps_one_connection_or_opens_new_ones_as_asked() -> None:
    for connection, many in (("keep", False), ("new", True)):
        probe = HttpProbe.model_validate(
            {"probe": "http", "url": "http://chat:8082/", "every": "20ms", "connection": connection}
        )
        async with serve(http(lambda seen: (200, {}))) as server:
            samples = await sampled(probe, 0.1, server.routes())
        assert {s.outcome for s in samples} == {"ok"}
        assert (server.connections == len(samples)) is many  # a slow answer may need a second one
