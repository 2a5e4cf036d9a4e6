"""What a run records of memory and load, and that what cannot be read fails nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaoskit.clock import until
from chaoskit.docker.containers import Container
from chaoskit.docker.limits import Usage
from chaoskit.errors import EnvironmentFailure
from chaoskit.record.events import Noted, ResourcesSampled
from chaoskit.record.writer import Recorder
from chaoskit.run import resources
from chaoskit.run.resources import Moment, ResourceWatch
from chaoskit.stack.cpu_waits import CpuWaits
from chaoskit.stack.stack import Stack
from tests.unit.run.conftest import Heard


class StackWithMemory:
    """A stack of containers whose services use what `used` says, or an error instead."""

    def __init__(self, used: dict[str, int] | Exception, *cpu: float) -> None:
        """`cpu` says how many seconds of CPU each container has used at each look."""
        self.project = "run-1"
        self.containers = self.limits = self
        self._used = used
        self._cpu = iter(cpu)

    async def of(self, project: str) -> list[str]:
        return ["a container"]

    async def usage_of(self, project: str) -> dict[tuple[str, str], Usage]:
        if isinstance(self._used, Exception):
            raise self._used
        cpu = next(self._cpu, 0.0)
        return {
            (name, f"{name}-1"): Usage(cpu, 0, 0, 0.0, memory, 0, 0)
            for name, memory in self._used.items()
        }


class Waits:
    """What the kernel counts of the tasks of `web`; None where this host does not show them."""

    def __init__(self, waited: float | None) -> None:
        self._waited = waited

    def since_last(self, _containers: list[str]) -> dict[str, float]:
        return {} if self._waited is None else {"web": self._waited, "chaoskit-host": 1.0}


@pytest.fixture
def pressure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says: a file to write to."""
    path = tmp_path / "pressure"
    path.write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 total=0\n")
    monkeypatch.setattr(resources, "PRESSURE", path)
    monkeypatch.setattr(resources, "EVERY", 0.005)
    monkeypatch.setattr(resources, "CpuWaits", lambda: Waits(0.25))
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
    assert event.waited == {"web": 0.25}
    assert event.host.cpu_pressure == 0.0
    assert event.host.cpus >= 1


@pytest.mark.usefixtures("pressure")
async def test_an_engine_that_is_away_leaves_a_gap(recorder: Recorder, heard: Heard) -> None:
    event = await sampled(StackWithMemory(EnvironmentFailure("gone")), recorder, heard)
    assert event == ResourcesSampled(None, {})


@pytest.mark.usefixtures("pressure")
async def test_the_load_of_this_machine_is_not_that_of_an_engine_elsewhere(
    recorder: Recorder, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "CpuWaits", lambda: Waits(None))
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


def test_pressure_is_the_share_of_the_time_since_the_look_before() -> None:
    moments = [Moment(at, waited, None, {}) for at, waited in ((100, 10.0), (102, 10.5), (103, 99))]
    shares = [now.load_since(before).cpu_pressure for before, now in pairwise(moments)]
    assert shares == [0.25, 1.0]  # never more than all of it


def test_what_others_use_is_what_the_cpus_did_less_the_stack_and_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    before = Moment(10.0, None, 100.0, {"a": 5.0, "": 1.0})
    assert Moment(12.0, None, 103.0, {"a": 6.0, "": 1.5}).load_since(before).others == 0.375
    started_again = {"a": 0.5, "": 1.5}
    assert Moment(12.0, None, 103.0, started_again).load_since(before).others == 0.5
    assert Moment(12.0, None, 100.5, {"a": 6.0, "": 1.5}).load_since(before).others == 0.0
    assert Moment(12.0, None, None, {}).load_since(before).others is None


def test_a_line_of_the_kernel_says_how_long_the_cpus_were_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stat"
    monkeypatch.setattr(resources, "STATISTICS", path)
    monkeypatch.setattr("os.sysconf", lambda _: 100)
    assert resources.busy() is None
    path.write_text("cpu  100 20 30 9999 888 4 5 41 7 7\ncpu0 1 2 3\n")
    assert resources.busy() == 2.0
    path.write_text("cpu  100 20\n")
    assert resources.busy() is None


def test_tasks_that_wait_for_a_cpu_are_counted_from_look_to_look() -> None:
    """Three that never sleep, on one CPU: each waits for two thirds of the time."""
    cpu = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, [{cpu}]); os.fork(); os.fork()\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin], start_new_session=True) as process:
        try:
            container = SimpleNamespace(
                id="", pid=process.pid, state=SimpleNamespace(running=True, service="web")
            )
            waits = CpuWaits()
            time.sleep(0.3)
            assert waits.since_last([cast("Container", container)]) == {"web": 0.0}
            time.sleep(0.5)
            assert waits.since_last([cast("Container", container)])["web"] > 0.5
            container.id = "another container, and the number of the process is in use again"
            assert waits.since_last([cast("Container", container)]) == {}
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.usefixtures("pressure")
async def test_a_watch_of_resources_that_breaks_is_noted_and_proves_nothing_wrong(
    recorder: Recorder, heard: Heard
) -> None:
    event = await sampled(StackWithMemory(TypeError("a defect")), recorder, heard)
    assert event == Noted("what the stack uses was not watched to the end: TypeError: a defect")
