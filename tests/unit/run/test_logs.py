"""Following logs: each life of a container, its end, and what may be missing."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoskit.clock import Clock, until
from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.client import Engine
from chaoskit.docker.events import EngineEvent
from chaoskit.docker.logs import LogStream, kept
from chaoskit.errors import EnvironmentFailure
from chaoskit.record import logs as record_logs
from chaoskit.record.events import LastLines, LogIncomplete
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Recorder
from chaoskit.recovery import logs as recovery_logs
from chaoskit.run.logs import LogFollower
from chaoskit.secrets import Redactor
from tests.unit.run.conftest import Heard


def stamp(ago: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


OVERTAKEN = "so much was printed that the engine may have dropped lines before they were read"


class Live(LogStream):
    """What a container prints; `None` in its queue is its end."""

    def __init__(self, keeps: int | None = None) -> None:
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        super().__init__(self, self._all(), keeps)

    def _all(self) -> Iterator[bytes]:
        while (line := self.lines.get()) is not None:
            yield line

    def close(self) -> None:
        self.closed = True
        self.lines.put(None)

    def prints(self, *texts: str, ago: float = 0.0) -> None:
        for text in texts:
            self.lines.put(f"{stamp(ago)} {text}\n".encode())


@dataclass
class FakeEngine:
    """Gives the streams that a test prepared, one for each time a log is opened."""

    streams: list[Live | Exception] = field(default_factory=list)
    opened: list[tuple[str, float, bool]] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)

    @property
    def logs(self) -> FakeEngine:
        return self

    @property
    def containers(self) -> Any:
        async def of(project: str) -> list[Any]:
            del project
            state = SimpleNamespace(service="web")
            return [SimpleNamespace(id=id, state=state) for id in self.there]

        async def logs(id: str, tail: int) -> list[str]:
            del id
            return self.tail[-tail:]

        return SimpleNamespace(of=of, logs=logs)

    async def open(self, id: str, *, since: float, follow: bool) -> Live:
        self.opened.append((id, since, follow))
        found = self.streams.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def event(action: str, id: str = "c1", service: str = "web", replica: int = 1) -> EngineEvent:
    return EngineEvent(service, replica, action, 0, None, container_id=id)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "run" / "logs" / "web.log"


@pytest.fixture
async def follower(engine: FakeEngine, log: Path, recorder: Recorder) -> AsyncIterator[LogFollower]:
    log.parent.mkdir(parents=True)
    folder = RunFolder(log.parents[1], Redactor(["hunter22"]), None)
    made = LogFollower(cast("Engine", engine), "p", folder, recorder, Clock())
    yield made
    await made.stop()


async def read(log: Path, *texts: str) -> None:
    """Wait until the file holds these lines, and no others."""

    async def look() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.partition(" ")[2] for line in lines]

    assert await until(look, met=lambda lines: lines == [*texts], within=3, every=0.01) == [*texts]


def missing(heard: Heard) -> list[LogIncomplete]:
    return [one.event for one in heard if isinstance(one.event, LogIncomplete)]


async def test_lines_are_in_the_file_while_the_container_runs(
    engine: FakeEngine, follower: LogFollower, log: Path
) -> None:
    live = Live()
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints("ready", "password hunter22")
    await read(log, "ready", "password ***")


async def test_a_second_life_goes_on_where_the_first_ended_and_repeats_nothing(
    engine: FakeEngine, follower: LogFollower, log: Path, heard: Heard
) -> None:
    first, second = Live(), Live()
    engine.streams = [first, second]
    follower.started(event("start"), 0.0)
    line = f"{stamp()} giving up\n".encode()
    first.lines.put(line)
    first.lines.put(None)
    follower.died(event("die"), 1.5)
    follower.started(event("start"), 2.0)
    second.lines.put(line)  # the engine tells again what has this time
    second.prints("hello again")
    await read(log, "giving up", "hello again")
    assert [since > 0 for _, since, _ in engine.opened] == [False, True]
    told = [one.event for one in heard if isinstance(one.event, LastLines)]
    assert told == [LastLines("web", 1, 1.5, ("giving up",))]
    await follower.stop()
    assert missing(heard) == []


async def test_a_dead_container_whose_log_does_not_end_is_let_go(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("chaoskit.run.logs._ENDING", 0.05)
    live = Live()
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints("the last")
    await read(log, "the last")
    follower.died(event("die"), 1.0)

    async def told() -> bool:
        return any(isinstance(one.event, LastLines) for one in heard)

    assert await until(told, within=2, every=0.01)
    assert live.closed


async def test_an_unreadable_log_is_said_and_the_others_are_read(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path
) -> None:
    live, reason = Live(), "its log driver `none` keeps nothing to read"
    engine.streams = [EnvironmentFailure(reason), live, EnvironmentFailure(reason)]
    engine.there = ["c1"]
    follower.started(event("start", service="redis"), 0.5)
    await asyncio.sleep(0)
    follower.started(event("start", "c2"), 0.6)
    live.prints("ready")
    await read(log, "ready")
    await follower.stop()
    assert missing(heard) == [LogIncomplete("redis", 0.5, None, reason)]


async def test_an_unreadable_log_of_a_recreated_container_is_said(
    engine: FakeEngine, follower: LogFollower, heard: Heard
) -> None:
    reason = "its log driver `none` keeps nothing to read"
    engine.streams = [EnvironmentFailure(reason)]
    follower.started(event("start"), 0.5)
    await asyncio.sleep(0.01)
    engine.there = []  # gone when the run ends
    await follower.stop()
    assert missing(heard) == [LogIncomplete("web", 0.5, None, reason)]


async def test_a_container_gone_before_its_log_was_read_is_said(
    engine: FakeEngine, follower: LogFollower, heard: Heard
) -> None:
    engine.streams = [NoSuchContainer("no such container")]
    follower.started(event("start"), 0.5)
    await asyncio.sleep(0.01)
    await follower.stop()
    assert [one.reason for one in missing(heard)] == [
        "its container was gone before its log was read"
    ]


async def test_what_a_broken_stream_missed_is_read_in_the_end(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path
) -> None:
    class Breaks(Live):
        def _all(self) -> Iterator[bytes]:
            yield f"{stamp()} one\n".encode()
            raise ConnectionResetError

    rest = Live()
    engine.streams = [Breaks(), rest]
    engine.there = ["c1"]
    follower.started(event("start"), 0.5)
    await read(log, "one")

    async def broken() -> bool:
        return follower.all[0].problem is not None

    assert await until(broken, within=3, every=0.01)
    rest.prints("two")
    rest.lines.put(None)
    await follower.stop()
    await read(log, "one", "two")
    assert engine.opened[1][2] is False
    assert missing(heard) == []


async def test_a_flood_is_cut_and_said_and_its_last_words_are_asked_of_the_engine(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        record_logs.LogWriter.__init__, "__defaults__", (400,)
    )  # bytes, not mebibytes
    live = Live()
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints(*["x" * 60] * 9)

    async def cut() -> bool:
        return log.exists() and "cut here" in log.read_text()

    assert await until(cut, within=2, every=0.01)
    engine.tail = [f"{stamp()} out of memory"]
    follower.died(event("die"), 1.0)
    await asyncio.sleep(0.05)
    await follower.stop()
    assert [one.reason for one in missing(heard)] == [
        "it grew beyond 64 MiB, and the rest was not kept"
    ]
    told = [one.event.lines for one in heard if isinstance(one.event, LastLines)]
    assert told == [("out of memory",)]
    assert log.stat().st_size < 600


async def test_last_words_that_did_not_come_in_time_are_asked_of_the_engine(
    engine: FakeEngine, follower: LogFollower, heard: Heard
) -> None:
    engine.streams = [Live(), Live()]
    follower.started(event("start"), -9.0)
    engine.tail = [f"{stamp(ago)} {text}" for ago, text in ((8, "first"), (4, "second"), (1, "x"))]
    follower.died(event("die"), -6.0)
    follower.died(event("die"), -2.0)

    async def told() -> list[tuple[str, ...]]:
        return [one.event.lines for one in heard if isinstance(one.event, LastLines)]

    both = [("first",), ("second",)]
    assert await until(told, met=lambda now: now == both, within=6, every=0.05) == both


async def test_a_log_that_rotates_before_it_is_read_may_lack_lines(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path
) -> None:
    live = Live(keeps=200)
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints("a" * 100, "b" * 100, ago=30)
    live.prints("c" * 100, ago=20)
    await read(log, "a" * 100, "b" * 100, "c" * 100)
    live.lines.put(None)
    await follower.stop()
    (gap,) = missing(heard)
    assert gap.reason == OVERTAKEN
    assert gap.start == 0  # when it started
    assert gap.end == pytest.approx(-20, abs=1)


async def test_a_log_that_rotates_is_complete_when_it_is_read_in_time(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path
) -> None:
    live = Live(keeps=2000)
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints(*["a" * 100] * 5)
    await read(log, *["a" * 100] * 5)
    await follower.stop()
    assert missing(heard) == []


async def test_a_log_that_may_rotate_between_two_looks_may_lack_lines_that_nobody_saw(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path
) -> None:
    live = Live(keeps=1000)
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints("before", ago=9)
    live.prints(*["a" * 100] * 5, "after", ago=0.1)
    await read(log, "before", *["a" * 100] * 5, "after")
    await follower.stop()
    (gap,) = missing(heard)
    assert gap.reason == OVERTAKEN
    assert gap.start == pytest.approx(-9, abs=1)
    assert gap.end == pytest.approx(0, abs=1)


async def test_stopping_waits_for_what_is_still_to_be_read(
    engine: FakeEngine, follower: LogFollower, heard: Heard, log: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(recovery_logs, "_LATE_QUIET", 0.3)
    live = Live()
    engine.streams = [live]
    follower.started(event("start"), 0.0)
    live.prints("one", ago=9)
    await read(log, "one")
    asyncio.get_running_loop().call_later(0.15, live.prints, "two")
    await follower.stop()
    await read(log, "one", "two")
    assert missing(heard) == []


@pytest.mark.parametrize(
    ("config", "keeps"),
    [
        ({}, None),
        ({"Type": "json-file", "Config": {}}, None),
        ({"Type": "local"}, 100_000_000),
        ({"Type": "local", "Config": {"max-size": "1m"}}, 5_000_000),
        ({"Config": {"max-size": "20k", "max-file": "1"}}, 20_000),
        ({"Config": {"max-size": "10m", "max-file": "3"}}, 30_000_000),
        ({"Config": {"max-size": "10m"}}, 10_000_000),
        ({"Config": {"max-size": "-1"}}, None),
    ],
)
def test_how_much_of_a_log_the_engine_keeps(config: Any, keeps: int | None) -> None:
    assert kept(config) == keeps
