"""Answers that are large or never end, and faults that come again: nothing is held in memory."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from chaoskit.records import Verdict
from tests.stack.running import (
    STACKS,
    Chaoskit,
    Scenario,
    available,
    docker,
    fault,
    project_of,
    things_of_project,
)

CASE = STACKS.parent / "cases" / "bodies" / "compose.yaml"


def scenario(*paths: str, **changes: Any) -> Scenario:
    return {
        "name": "bodies",
        "stack": {"compose": str(CASE), "empty": ["./data"]},
        "probes": {
            path or "word": {
                "probe": "http",
                "url": f"http://web:8000/{path}",
                "every": "1s" if path == "big" else "250ms",
                "timeout": "10s",
                "expect": {"endless": path == "stream"},
            }
            for path in paths
        },
        "timeline": {
            "gate": {"for": "300ms", "within": "30s"},
            "baseline": "500ms",
            "faults": [
                fault("pause", "0s", "1s", service="redis", repeat={"times": 2, "every": "1100ms"})
            ],
            "settle": "1s",
        }
        | changes.get("timeline", {}),
        "expect": [available(path or "word", "10%") for path in paths],
    }


def test_large_and_endless_answers_take_no_memory_and_a_fault_comes_again_after_its_heal(
    chaoskit: Chaoskit,
) -> None:
    peaks = []
    for paths in (("",), ("big", "stream")):
        going = chaoskit.start(scenario(*paths))
        going.read_until("phase down")
        status = Path(f"/proc/{going.process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        peaks.append(int(peak.split()[1]) // 1024)
        run = going.finish()
        assert run.code == 0, run.output
        assert {one.verdict for one in run.result.checks} == {Verdict.PASS}
        # Asked for every 1.1 s, each waits until the one before is healed.
        first, second = run.result.faults
        assert first.healed_at is not None
        assert second.injected_at is not None
        assert second.injected_at >= first.healed_at
        assert (first.proven, second.proven) == (True, True)
    little, much = peaks
    assert much - little <= 60, f"{little} MB for words, {much} MB for 50 MB at a time"


def test_what_stood_for_an_emptied_folder_goes_with_a_run_that_was_killed(
    chaoskit: Chaoskit,
) -> None:
    folder = CASE.parent / "data"
    going = chaoskit.start(scenario("", timeline={"settle": "60s"}))
    going.read_until("phase baseline")
    project = project_of(chaoskit.runs / "latest")
    volumes = [one for one in things_of_project(project) if one.startswith("volume ")]
    assert len(volumes) == 1, volumes
    assert "started" in docker("exec", f"{project}-web-1", "ls", "/data")
    assert not (folder / "started").exists()
    going.send(signal.SIGKILL)
    going.process.wait()
    deadline = time.monotonic() + 60  # its guard removes the stack
    while things_of_project(project):
        assert time.monotonic() < deadline, things_of_project(project)
        time.sleep(0.5)
