"""Verdict and exit code of a stored run: never falsely green, the worst wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chaoskit.judge.result import Leftover
from chaoskit.judge.verdict import RunContext, judge, with_leftovers
from chaoskit.records import Verdict
from chaoskit.scenario.document import Scenario, scenario_model

SCENARIO = {
    "name": "small",
    "stack": {"compose": "compose.yaml"},
    "probes": {"web": {"probe": "http", "url": "http://web:80/", "every": "100ms"}},
    "timeline": {"faults": [{"id": "down", "fault": "kill", "service": "redis", "for": "1s"}]},
    "expect": [{"check": "availability", "probe": "web", "at_least": "90%"}],
}
STARTED = "2026-01-01T00:00:00+00:00"


def scenario() -> Scenario:
    return scenario_model().model_validate(SCENARIO)


def context(**changes: Any) -> RunContext:
    known: dict[str, Any] = {"run_id": "r", "scenario_file": "s.yaml", "seed": 1}
    return RunContext(**(known | {"command": "chaoskit run", "project": "p"} | changes))


def write(folder: Path, *, failing: int = 0, proven: bool = True, samples: int = 100) -> Path:
    events: list[dict[str, Any]] = [{"t": 0, "event": "run_started", "started_at": STARTED}]
    for name, start, end in (("baseline", 0, 2), ("faults", 2, 6), ("settle", 6, 10)):
        events.append({"t": start, "event": "phase_started", "phase": name})
        if name == "faults":
            events.append(
                {
                    "t": 3,
                    "event": "fault_injected",
                    "id": "down",
                    "fault": "kill",
                    "target": "redis",
                    "services": ["redis"],
                }
            )
            events.append({"t": 4, "event": "fault_healed", "id": "down"})
        events.append({"t": end, "event": "phase_ended", "phase": name})
    reason = None if proven else "nothing used it"
    events.append(
        {
            "t": 10,
            "event": "fault_concluded",
            "id": "down",
            "proven": proven,
            "reason": reason,
            "evidence": ["redis exited (137)"],
        }
    )
    rows = [
        {
            "probe": "web",
            "due": i / 10,
            "sent": i / 10,
            "done": i / 10 + 0.01,
            "outcome": "fail" if 30 <= i < 30 + failing else "ok",
        }
        for i in range(samples)
    ]
    for name, lines in (("events", events), ("samples", rows)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.ndjson").write_text(text)
    return folder


def test_a_proven_run_with_passing_checks_passes(tmp_path: Path) -> None:
    result = judge(scenario(), write(tmp_path), context())
    assert (result.verdict, result.exit_code, result.reason) == (Verdict.PASS, 0, None)
    assert result.faults[0].proven
    assert result.faults[0].evidence == ["redis exited (137)"]


def test_an_unproven_fault_makes_passing_checks_unknown(tmp_path: Path) -> None:
    result = judge(scenario(), write(tmp_path, proven=False), context())
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason == "fault `down` is not proven: nothing used it"


def test_a_failed_check_beats_an_unproven_fault(tmp_path: Path) -> None:
    result = judge(scenario(), write(tmp_path, proven=False, failing=20), context())
    assert (result.verdict, result.exit_code) == (Verdict.FAIL, 1)
    assert result.faults[0].time_to_detect == pytest.approx(0.01)
    assert result.faults[0].time_to_recover == pytest.approx(1.01)


@pytest.mark.parametrize("samples", [0, 50])
def test_a_probe_that_did_not_really_run_makes_the_run_unknown(
    tmp_path: Path, samples: int
) -> None:
    result = judge(scenario(), write(tmp_path, samples=samples), context())
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)


def test_a_run_that_ended_early_is_unknown_with_its_own_exit_code(tmp_path: Path) -> None:
    how = context(ended_early="the run was interrupted by SIGTERM", exit_code=143)
    result = judge(scenario(), write(tmp_path), how)
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 143)
    assert result.reason == "the run was interrupted by SIGTERM"


def test_leftovers_win_over_every_other_exit_code(tmp_path: Path) -> None:
    result = judge(scenario(), write(tmp_path, failing=20), context())
    left = [Leftover(what="network x", command="docker network rm x")]
    dirty = with_leftovers(result, left, tmp_path)
    assert (dirty.verdict, dirty.exit_code) == (Verdict.FAIL, 6)


def test_a_fault_that_was_never_injected_is_not_proven(tmp_path: Path) -> None:
    write(tmp_path)
    events = (tmp_path / "events.ndjson").read_text().splitlines(keepends=True)
    kept = [line for line in events if '"fault_' not in line]
    (tmp_path / "events.ndjson").write_text("".join(kept))
    result = judge(scenario(), tmp_path, context())
    assert result.verdict is Verdict.UNKNOWN
    assert (result.faults[0].fault, result.faults[0].proven) == ("kill", False)


def test_an_empty_folder_gives_a_result_and_not_a_traceback(tmp_path: Path) -> None:
    result = judge(scenario(), tmp_path, context(ended_early="docker went away", exit_code=4))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 4)


def test_the_report_and_the_check_of_a_run_give_the_same_percentile(tmp_path: Path) -> None:
    write(tmp_path)
    rows = [  # answers took 1, 2, ... 100 ms
        {"probe": "web", "due": i / 10, "sent": i / 10, "done": i / 10 + (i + 1) / 1000}
        for i in range(100)
    ]
    text = "".join(json.dumps({**row, "outcome": "ok"}) + "\n" for row in rows)
    (tmp_path / "samples.ndjson").write_text(text)
    expect = [{"check": "latency", "probe": "web", "p50": "1s", "p99": "1s"}]
    judged = scenario_model().model_validate(SCENARIO | {"expect": expect})
    result = judge(judged, tmp_path, context())
    assert result.checks[0].measured == "p50 50ms, p99 99ms (of 100)"
    assert result.probes[0].latency_p50 == pytest.approx(0.05)
    assert result.probes[0].latency_p99 == pytest.approx(0.099)


def test_the_initial_value_of_a_workload_is_that_of_its_checks(tmp_path: Path) -> None:
    """A key that was not read before its first write still began with what the workload says."""
    rows: list[tuple[float, str, str, int, int | None]] = [
        (1.0, "invoke", "write", 0, 1),
        (1.2, "invoke", "read", 1, None),
        (1.4, "ok", "read", 1, 0),
        (1.6, "ok", "write", 0, 1),
    ]
    for n in range(2, 60):
        op = "write" if n % 2 == 0 else "read"
        rows.append((2 + n * 0.12, "invoke", op, n, n if op == "write" else None))
        rows.append((2.05 + n * 0.12, "ok", op, n, n if op == "write" else n - 1))
    lines = [
        {"t": t, "type": kind, "op": op, "id": n, "key": "k", "value": value, "workload": "flags"}
        for t, kind, op, n, value in rows
    ]
    folder = write(tmp_path)
    (folder / "history.ndjson").write_text("".join(json.dumps(row) + "\n" for row in lines))
    redis = {"store": "redis://redis:6379/0"}
    flags = {
        "workload": "register",
        "write": {"redis": "SET {key} {value}", **redis},
        "read": {"redis": "GET {key}", **redis},
    }
    verdicts = [
        judge(
            scenario_model().model_validate(
                SCENARIO
                | {"workloads": {"flags": flags | more}}
                | {"expect": [{"check": "linearizable", "workload": "flags"}]}
            ),
            folder,
            context(),
        )
        .checks[0]
        .verdict
        for more in ({}, {"initial": 0})
    ]
    assert verdicts == [Verdict.FAIL, Verdict.PASS]
