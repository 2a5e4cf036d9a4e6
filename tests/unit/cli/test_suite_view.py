"""The live view of a suite: a row for each scenario that runs, and one bar for all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.console import Console

from chaoskit.cli.live import LiveView
from chaoskit.cli.suite_view import SuiteView
from chaoskit.record.events import PhaseStarted, Recorded, RunStarted
from chaoskit.records import Verdict
from tests.unit.suite.conftest import Make
from tests.unit.suite.conftest import make as make  # a fixture
from tests.unit.suite.test_verdict import ended

NAMES = ["kill", "a-scenario-with-quite-a-long-name-of-its-own", "restart", "slow"]


class Suite:
    """A view of four scenarios of 18 planned seconds each, with a clock that the test turns."""

    def __init__(self, make: Make, at_once: int) -> None:
        self.scenarios = [make(name) for name in NAMES]
        self.time = 0.0
        self.view = SuiteView(self.scenarios, at_once, lambda: self.time)

    def begin(self, number: int) -> None:
        scenario = self.scenarios[number].scenario
        view = LiveView(scenario, scenario.injections(), lambda: self.time)
        self.view.began(number, view)
        view(Recorded(0, RunStarted(datetime(2026, 1, 1, tzinfo=UTC))))
        view(Recorded(0, PhaseStarted("baseline")))

    def lines(self, width: int) -> list[str]:
        console = Console(width=width, color_system=None)
        with console.capture() as shown:
            console.print(self.view.render(width))
        return shown.get().splitlines()


def test_every_scenario_that_runs_has_a_row_and_all_have_one_bar(make: Make) -> None:
    suite = Suite(make, 2)
    suite.begin(0)
    suite.begin(1)
    suite.time = 4.0
    assert suite.lines(80) == [
        "kill: baseline  4 s  ━━━━━━━━━━━━────────────  about 4 s left",
        "a-scenario-with-quite-…: baseline  4 s  ━━━━━━━━━━━━────────────  about 4 s left",
        "suite  0 of 4  ━━──────────────────────  about 32 s left",
    ]
    suite.view.ended(0, ended(Verdict.FAIL))
    suite.begin(2)
    suite.time = 8.0
    (first, second, last) = suite.lines(80)
    assert first.startswith("a-scenario-with-quite-a-…: baseline  8 s")
    assert second.startswith("restart: baseline  4 s")
    assert last.startswith("suite  1 of 4  1 failed  ━━━━━")


@pytest.mark.parametrize("width", [60, 80])
def test_no_line_is_wider_than_the_terminal(make: Make, width: int) -> None:
    suite = Suite(make, 2)
    for number, verdict in enumerate((Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)):
        suite.begin(number)
        suite.time += 20
        suite.view.ended(number, ended(verdict))
    suite.begin(3)
    suite.begin(1)
    assert max(map(len, suite.lines(width))) <= width
    assert suite.lines(width)[-1].endswith("s left")
