"""What watches over a run: when it ends by itself, the run cannot pass, and says why."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from chaoskit.clock import Clock, until
from chaoskit.docker.call import EngineGone
from chaoskit.docker.events import EngineEvent, Events
from chaoskit.errors import EnvironmentFailure
from chaoskit.record.events import ContainerChanged
from chaoskit.record.writer import Recorder
from chaoskit.run.bypass import BypassWatch
from chaoskit.run.engine_events import EngineEvents
from chaoskit.stack.proxy import Proxy
from chaoskit.stack.stack import Stack
from tests.unit.run.conftest import Heard

EVENT = EngineEvent("redis", 1, "die", 0, 137)


class BrokenStack:
    """A stack whose containers cannot be listed."""

    def __init__(self, error: Exception) -> None:
        self.project = "run-1"
        self.proxies = [Proxy("chaoskit-chat", "chat", "redis", 6379, 6379)]
        self.containers = self
        self._error = error
        self.looks = 0

    async def of(self, *_: Any) -> None:
        self.looks += 1
        raise self._error


class Told:
    """An engine that tells events, and then ends."""

    def __init__(self, *events: Any, end: Exception) -> None:
        self._events = events
        self._end = end

    @contextlib.asynccontextmanager
    async def watch(self, project: str) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        yield self._all()

    async def _all(self) -> AsyncIterator[EngineEvent]:
        for event in self._events:
            yield event
        raise self._end


async def doubts(heard: Heard) -> list[str]:
    async def look() -> list[str]:
        return heard.unproven()

    return await until(look, within=2, every=0.005)


async def test_a_bypass_watch_that_breaks_is_said(recorder: Recorder, heard: Heard) -> None:
    watch = BypassWatch(cast("Stack", BrokenStack(TypeError("a defect"))), recorder)
    watch.start()
    assert await doubts(heard) == [
        "who connects to whom was not watched to the end: TypeError: a defect"
    ]
    await watch.stop()


async def test_a_bypass_watch_looks_again_when_a_container_was_away(
    recorder: Recorder, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.run.bypass.EVERY", 0.001)
    stack = BrokenStack(EnvironmentFailure("it restarts"))
    watch = BypassWatch(cast("Stack", stack), recorder)
    watch.start()

    async def looked_twice() -> bool:
        return stack.looks > 1

    assert await until(looked_twice, within=2, every=0.005)
    await watch.stop()
    assert heard.unproven() == []


@pytest.mark.parametrize("tearing_down", [False, True])
async def test_a_proxy_or_relay_of_ours_that_dies_makes_the_run_prove_nothing(
    recorder: Recorder, heard: Heard, tearing_down: bool
) -> None:
    ours = EngineEvent("chaoskit-web.http", 1, "die", 0, 137)
    told = Told(ours, end=EngineGone("over"))
    events = EngineEvents(cast("Events", told), "run-1", recorder, Clock())
    events.tearing_down = tearing_down
    await events.start()
    said = await doubts(heard)
    await events.stop()
    mine = "chaoskit's own `chaoskit-web.http` ended in the middle of the run"
    assert any(one.startswith(mine) for one in said) is not tearing_down


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (Told(EVENT, end=EngineGone("the engine went away")), "the engine went away"),
        (Told(EVENT, end=KeyError("time")), "KeyError: 'time'"),
        (
            Told(EVENT, object(), end=EngineGone("not reached")),
            "AttributeError: 'object' object has no attribute 'service'",
        ),
    ],
    ids=["ends", "breaks", "nonsense"],
)
async def test_engine_events_that_end_are_said(
    told: Told, why: str, recorder: Recorder, heard: Heard
) -> None:
    events = EngineEvents(cast("Events", told), "run-1", recorder, Clock())
    await events.start()
    assert await doubts(heard) == [f"what happens to containers was not watched to the end: {why}"]
    await events.stop()
    actions = [one.event.action for one in heard if isinstance(one.event, ContainerChanged)]
    assert actions == ["die"]
