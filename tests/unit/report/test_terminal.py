"""What a person reads at 80 columns without colour, to the character."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from chaoskit.judge.result import Result
from chaoskit.report.terminal import render, render_suite
from tests.unit.report.conftest import with_expected_failure

if TYPE_CHECKING:
    from tests.unit.report.conftest import Screen

PASSING = """\
PASS  redis-restart: 2 of 2 checks passed under 1 proven fault
2 checks: 2 passed; 1 fault proven; 21.3s; exit 0

verdict  check         subject  measured         expected
───────────────────────────────────────────────────────────
PASS     availability  chat     99.4% (of 312)   >= 99%
PASS     no_loss       members  0 lost (of 912)  none lost

fault    target  proven  in force     detected  recovered
──────────────────────────────────────────────────────────
restart  redis   yes     3.0 - 3.4 s  21.4ms    1.2s
  restart:  redis[1] started again at 3.31 s

workload       sent of due  ok   fail  info  p99 from due  from sent
─────────────────────────────────────────────────────────────────────
members (set)  916 of 920   914  3     1     4.2s          155ms

note  `restart` ends processes, not the machine

run again   chaoskit run scenarios/redis-restart.yaml --seed 7
"""

FAILING = """\
FAIL  redis-kill: 37 of 912 acknowledged values of workload `members` are lost
      (4.1%): oldest acknowledged at 12.31 s, 7.6s before kill redis healed; 37
      inside fault windows, 0 outside
3 checks: 1 passed, 1 failed, 1 unknown; 1 of 2 faults proven; 21.3s; exit 6

verdict  check         subject  measured                expected
──────────────────────────────────────────────────────────────────
UNKNOWN  recovery      cache    unclear                 <= 5s
FAIL     no_loss       members  37 lost, 4.1% (of 912)  none lost
PASS     availability  chat     100% (of 312)           >= 99%

fault           target         proven  in force       detected  recovered
──────────────────────────────────────────────────────────────────────────
kill            redis          yes     10.0 - 19.9 s  110ms     -
slow (latency)  chat -> redis  NO      never          -         -
  kill:  redis[1] exited with 137
  slow (latency):  the edge `chat -> redis` carried nothing

FAIL  no_loss members
  37 of 912 acknowledged values of workload `members` are lost (4.1%): oldest
  acknowledged at 12.31 s, 7.6s before kill redis healed; 37 inside fault
  windows, 0 outside
  expected none lost, measured 37 lost, 4.1% (of 912)
  witness:
    - LOST 1000123: acknowledged at 12.31 s, during kill (kill redis) 10.0 -
      19.9 s, absent from 3 of 3 final reads of truth
    - ... and 36 more
  log:
    | 12.30 s chat | [red]cache | `down`

UNKNOWN  recovery cache
  probe `cache` gave no sample after kill redis healed; leave more time
  expected <= 5s, measured unclear

note  the stack was up before; [bold]it was left alone[/bold]

LEFT BEHIND, remove it with these commands:
  network chaoskit-a1b2_default
    chaoskit recover xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

run again   chaoskit run scenarios/redis-kill.yaml --seed 7
"""

SUITE = """\
verdict  scenario       checks  faults               took   what happened
────────────────────────────────────────────────────────────────────────────────
PASS     redis-restart  2 of 2  1 fault proven       21.3s  2 of 2 checks
                                                            passed under 1
                                                            proven fault
FAIL     redis-kill     1 of 3  1 of 2 faults        21.3s  37 of 912
                                proven                      acknowledged values
                                                            of workload
                                                            `members` are lost
                                                            (4.1%): oldest
                                                            acknowledged at
                                                            12.31 s, 7.6s
                                                            before kill redis
                                                            healed; 37 inside
                                                            fault windows, 0
                                                            outside

total: 1 passed, 1 failed, 0 unknown of 2; 42.7s of run time; 1 left something
behind
"""


def test_a_passing_run(passing: Result, screen: Screen) -> None:
    render(passing, screen.console)
    assert screen.text + "\n" == PASSING


def test_a_failing_run(failing: Result, screen: Screen) -> None:
    render(failing, screen.console)
    assert screen.text + "\n" == FAILING


def test_a_check_that_fails_as_expected_is_called_so(passing: Result, screen: Screen) -> None:
    render(with_expected_failure(passing), screen.console)
    lines = screen.text.splitlines()
    said = "1 of 2 checks passed and 1 failed as expected under 1"
    assert lines[0] == f"PASS  redis-restart: {said}"
    assert "2 checks: 1 passed, 1 failed as expected; 1 fault proven" in screen.text
    assert any(line.split()[:3] == ["EXPECTED", "FAIL", "availability"] for line in lines)
    assert "note  expected to fail until 2027-01-31: 80% of 312 samples were good" in lines


def test_a_suite(passing: Result, failing: Result, screen: Screen) -> None:
    render_suite([passing, failing], screen.console)
    assert screen.text + "\n" == SUITE


def test_nothing_but_commands_and_paths_is_wider_than_the_screen(
    failing: Result, screen: Screen
) -> None:
    render(failing, screen.console)
    wide = [line for line in screen.text.splitlines() if len(line) > 80]
    assert wide == ["    chaoskit recover " + "x" * 70]


def test_the_run_folder_lists_the_files_that_exist(
    passing: Result, screen: Screen, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (folder / "result.json").touch()
    (folder / "logs").mkdir()
    render(passing, screen.console, folder)
    assert f"run folder  {folder}\n            result.json  logs/\n" in screen.text


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_word_is_cut_off_at_any_width(failing: Result, width: int) -> None:
    file = io.StringIO()
    render(failing, Console(file=file, width=width, no_color=True))
    assert "…" not in file.getvalue()


def test_a_file_gets_no_escape_sequence(failing: Result, screen: Screen) -> None:
    render(failing, screen.console)
    assert "\x1b" not in screen.text
    assert "\x00" not in screen.text


def test_a_terminal_gets_colour_and_with_no_color_only_words(
    failing: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> str:
        file = io.StringIO()
        console = Console(file=file, width=80, force_terminal=True, color_system="standard")
        render(failing, console)
        return file.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1;31mFAIL" in shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "31m" not in shown()
    assert "FAIL" in shown()


def test_a_stack_that_did_not_come_up_shows_its_last_log_lines(
    passing: Result, screen: Screen
) -> None:
    stack = passing.stack.model_copy(update={"last_logs": {"redis": ["[red]oops\x1b[0m"]}})
    render(passing.model_copy(update={"stack": stack}), screen.console)
    assert "\nlast log lines of redis\n    | [red]oops\n" in screen.text


def test_a_rehearsal_without_faults_says_so(passing: Result, screen: Screen) -> None:
    render(passing.model_copy(update={"faults": []}), screen.console)
    assert "2 of 2 checks passed; a rehearsal without faults" in screen.text


def test_what_died_stands_between_the_faults_and_the_checks(deadly: Result, screen: Screen) -> None:
    render(deadly, screen.console)
    assert screen.text.startswith("UNKNOWN  redis-restart: `worker` exited with code 1")
    assert (
        """
died or restarted, and no fault was meant to do it
    - `worker` exited with code 1 at 3.20 s, during restart redis, and stayed
      down
      | redis went away
"""
        in screen.text
    )
