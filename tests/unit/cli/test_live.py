"""The live view: the clock, a bar against the planned end, what is in force, who fails."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from chaoskit.cli.live import LiveView
from chaoskit.record.events import (
    FaultHealed,
    FaultInjected,
    PhaseStarted,
    Recorded,
    RunEvent,
    RunStarted,
)
from chaoskit.record.writer import LiveCounts, ProbeCount
from chaoskit.records import Sample
from chaoskit.scenario.loading import load

SCENARIO = """\
name: a-scenario-with-a-long-name
stack: { compose: compose.yaml }
probes:
  web: { probe: http, url: http://web/, every: 100ms }
timeline:
  baseline: 2s
  faults:
    - { id: one, at: 1s, for: 4s, fault: pause, service: web }
    - { id: two, after: { fault: one, healed: true, delay: 1s }, for: 2s,
        fault: pause, service: db }
  settle: 2s
expect:
  - { check: availability, probe: web, at_least: 99% }
"""
WIDTHS = pytest.mark.parametrize("width", [80, 60])


class Watched:
    """A view whose clock the test turns."""

    def __init__(self, folder: Path) -> None:
        (folder / "compose.yaml").write_text("services: {}\n")
        (folder / "scenario.yaml").write_text(SCENARIO)
        scenario = load(folder / "scenario.yaml", {}).scenario
        self.time = 100.0
        self.view = LiveView(scenario, scenario.injections(), lambda: self.time)
        self.emit(0, RunStarted(datetime(2026, 1, 1, tzinfo=UTC)))

    def emit(self, t: float, event: RunEvent) -> None:
        self.time = 100.0 + t
        self.view(Recorded(t, event))

    def lines(self, width: int) -> list[str]:
        console = Console(width=width, color_system=None)
        with console.capture() as shown:
            console.print(self.view.render(width))
        return shown.get().splitlines()


def probes(**outcomes: bool) -> LiveCounts:
    return LiveCounts(
        {
            name: ProbeCount(last=Sample(name, 0, 0, 0, "ok" if good else "fail", None, None))
            for name, good in outcomes.items()
        }
    )


@WIDTHS
def test_the_clock_and_the_time_left_are_shown_whatever_the_width(
    tmp_path: Path, width: int
) -> None:
    watched = Watched(tmp_path)
    watched.emit(3, PhaseStarted("gate"))
    assert watched.lines(width) == ["a-scenario-with-a-long-name: gate  3 s"]
    watched.emit(10, PhaseStarted("baseline"))
    watched.time += 6  # of 2 + (1 + 4 + 1 + 2) + 2
    (line,) = watched.lines(width)
    assert ": baseline  16 s  " in line
    assert line.endswith("  about 6 s left")
    assert line.count("━") == line.count("─") == (12 if width == 80 else 5)
    assert len(line) <= width


@WIDTHS
def test_a_plan_that_is_late_is_about_to_end_and_never_below_zero(
    tmp_path: Path, width: int
) -> None:
    watched = Watched(tmp_path)
    watched.emit(10, PhaseStarted("baseline"))
    watched.emit(30, PhaseStarted("settle"))
    watched.time += 60
    assert watched.lines(width)[0].endswith("━  about to end")


def test_what_is_in_force_is_shown_with_the_time_left_until_it_is_healed(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.emit(12, PhaseStarted("faults"))
    watched.emit(13, FaultInjected("one", fault="pause", target="web"))
    watched.time += 1
    assert watched.lines(80)[1] == "in force  pause web 3 s left"
    watched.emit(17, FaultHealed("one"))
    assert len(watched.lines(80)) == 1


def test_failing_probes_come_first_when_not_all_fit(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    good = {f"healthy-probe-{n}": True for n in range(4)}
    watched.view.counts = probes(**good, broken=False)
    assert watched.lines(60)[-1].startswith("broken failing  healthy-probe-0 ok")
    assert watched.lines(60)[-1].endswith("more")
    assert len(watched.lines(60)[-1]) <= 60
    assert watched.lines(160)[-1].endswith("healthy-probe-3 ok  broken failing")
