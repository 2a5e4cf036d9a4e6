"""Logs that rotate, cannot be read or flood: the others are kept, and a hole is no evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaoskit.records import Verdict
from tests.stack.running import STACKS, Chaoskit, Run, Scenario, available, fault

CASE = STACKS.parent / "cases" / "logs" / "compose.yaml"


def scenario(*profiles: str, **changes: Any) -> Scenario:
    return {
        "name": "logs",
        "stack": {"compose": str(CASE), "profiles": list(profiles)} | changes.get("stack", {}),
        "probes": {"web": {"probe": "http", "url": "http://web:8000/", "every": "100ms"}},
        "timeline": {
            "gate": {"for": "300ms", "within": "20s"},
            "baseline": "500ms",
            "faults": [fault("kill", "0s", "1s", service="redis")],
            "settle": "2s",
        }
        | changes.get("timeline", {}),
        "expect": changes["expect"],
    }


def printed(service: str, **fields: str) -> dict[str, str]:
    return {"check": "logs", "service": service, **fields}


def test_a_rotated_log_is_read_in_time_or_unknown_and_an_unreadable_one_loses_no_other(
    chaoskit: Chaoskit,
) -> None:
    run = chaoskit.run(
        scenario(
            timeline={
                "faults": [
                    fault("kill", "0s", "1s", service="redis"),
                    fault("recreate", "1500ms", None, service="silent", volumes="keep"),
                ]
            },
            expect=[
                printed("screamer", absent="Traceback"),
                printed("silent", absent="Traceback"),
                printed("web", contains="GET / HTTP"),
            ],
        )
    )
    screamer, silent, web = run.result.checks
    if screamer.verdict is Verdict.FAIL:  # it was read in time
        assert "Traceback: lost the database" in screamer.witness[0]
    else:
        assert screamer.verdict is Verdict.UNKNOWN, run.output
        assert "may have dropped lines" in (screamer.reason or "")
    assert silent.verdict is Verdict.UNKNOWN
    assert "its log driver `none` keeps nothing to read" in (silent.reason or "")
    assert web.verdict is Verdict.PASS
    logs = {path.name for path in (run.path / "logs").iterdir()}
    assert ".log" not in logs
    assert {"web.log", "redis.log", "screamer.log"} <= logs


def test_a_flood_is_cut_and_takes_no_memory(chaoskit: Chaoskit) -> None:
    def run(lines: int, settle: str) -> tuple[Run, int]:
        going = chaoskit.start(
            scenario(
                "flood",
                stack={"env": {"LINES_OF_FLOOD": str(lines)}},
                timeline={
                    "faults": [fault("pause", "0s", "1s", service="redis")],
                    "settle": settle,
                },
                expect=[available("web", "50%"), printed("flood", absent="never there")],
            )
        )
        going.read_until("phase down")  # it was judged
        status = Path(f"/proc/{going.process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return going.finish(), int(peak.split()[1]) // 1024

    quiet, little = run(100, "1s")
    assert quiet.check("logs", "flood").verdict is Verdict.PASS, quiet.output
    loud, much = run(1_800_000, "8s")
    assert much - little <= 50, f"{little} MB without the flood, {much} MB beside it"
    found = loud.check("logs", "flood")
    assert found.verdict is Verdict.UNKNOWN, loud.output
    assert "may lack lines" in (found.reason or "")
    log = loud.path / "logs" / "flood.log"
    assert log.stat().st_size <= 65 * 1024**2
    with log.open() as file:
        assert not any("hunter22" in line for line in file)
