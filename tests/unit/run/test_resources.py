"""What a run records of memory and load, and that what cannot be read fails nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoskit.clock import until
from chaoskit.errors import EnvironmentFailure
from chaoskit.record.events import Noted, ResourcesSampled
from chaoskit.record.writer import Recorder
from chaoskit.run import resources
from chaoskit.run.resources import ResourceWatch
from chaoskit.stack.stack import Stack
from tests.unit.run.conftest import Heard


class StackWithMemory:
    """A stack of one container whose services use what `used` says, or an error instead."""

    def __init__(self, used: dict[str, int] | Exception) -> None:
        self.project = "run-1"
        self.containers = self.limits = self
        self._used = used

    async def of(self, project: str) -> list[str]:
        return ["a container"]

    async def memory_of(self, project: str) -> dict[str, int]:
        if isinstance(self._used, Exception):
            raise self._used
        return self._used


@pytest.fixture
def pressure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says: a file to write to."""
    path = tmp_path / "pressure"
    path.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 total=0\n")
    monkeypatch.setattr(resources, "PRESSURE", path)
    monkeypatch.setattr(resources, "EVERY", 0.005)
    monkeypatch.setattr(resources, "proc_of", lambda *_: "/docker/1")
    return path


async def sampled(stack: StackWithMemory, recorder: Recorder, heard: Heard) -> Any:
    """Return the first event that the watch records."""
    watch = ResourceWatch(cast("Stack", stack), ["web"], recorder)
    watch.start()

    async def first() -> Any:
        return heard[0].event if heard else None

    event = await until(first, within=2, every=0.005)
    await watch.stop()
    return event


@pytest.mark.usefixtures("pressure")
async def test_the_memory_of_services_is_recorded_but_not_of_proxies(
    recorder: Recorder, heard: Heard
) -> None:
    stack = StackWithMemory({"web": 4096, "chaoskit-host": 1})
    event = await sampled(stack, recorder, heard)
    assert event.services == {"web": 4096}
    assert event.host.cpu_pressure == 0.0
    assert event.host.cpus >= 1


@pytest.mark.usefixtures("pressure")
async def test_an_engine_that_is_away_leaves_the_load(recorder: Recorder, heard: Heard) -> None:
    event = await sampled(StackWithMemory(EnvironmentFailure("gone")), recorder, heard)
    assert event.services == {}
    assert event.host is not None


@pytest.mark.usefixtures("pressure")
async def test_the_load_of_this_machine_is_not_that_of_an_engine_elsewhere(
    recorder: Recorder, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "proc_of", lambda *_: None)
    event = await sampled(StackWithMemory({"web": 4096}), recorder, heard)
    assert event == ResourcesSampled(None, {"web": 4096})


@pytest.mark.parametrize("said", [None, "", "some\n", "some avg10=1.0 total=many\n"])
async def test_a_kernel_that_counts_no_pressure_has_a_load_all_the_same(
    said: str | None, pressure: Path, recorder: Recorder, heard: Heard
) -> None:
    if said is None:
        pressure.unlink()
    else:
        pressure.write_text(said)
    event = await sampled(StackWithMemory({}), recorder, heard)
    assert event.host.cpu_pressure is None
    assert event.host.load1 >= 0


@pytest.mark.usefixtures("pressure")
async def test_pressure_is_the_share_of_the_time_since_the_look_before(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, heard: Heard
) -> None:
    waits = iter([0.0, 10.0, 10.5, 99.0])  # when made, at the start, and at the looks
    moments = iter([0.0, 100.0, 102.0, 103.0])
    monkeypatch.setattr(resources, "waited", lambda: next(waits))
    clock = SimpleNamespace(monotonic=lambda: next(moments))
    monkeypatch.setattr("chaoskit.run.resources.time", clock)
    watch = ResourceWatch(cast("Stack", StackWithMemory({})), [], recorder)
    seen = [watch._host().cpu_pressure for _ in range(3)]
    assert seen == [0.1, 0.25, 1.0]  # never more than all of it
    assert heard == []


@pytest.mark.usefixtures("pressure")
async def test_a_watch_of_resources_that_breaks_is_noted_and_proves_nothing_wrong(
    recorder: Recorder, heard: Heard
) -> None:
    event = await sampled(StackWithMemory(TypeError("a defect")), recorder, heard)
    assert event == Noted("what the stack uses was not watched to the end: TypeError: a defect")
