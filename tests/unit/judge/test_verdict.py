"""Verdict and exit code of a stored run: never falsely green, the worst wins."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from chaoskit import files
from chaoskit.judge.result import Leftover, Quantity
from chaoskit.judge.verdict import judge, with_leftovers
from chaoskit.record.reader import RunRecord
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


def write(folder: Path, *, failing: int = 0, proven: bool = True, samples: int = 100) -> Path:
    started = {"t": 0, "event": "run_started", "started_at": STARTED}
    started |= {"faults": ["down"], "format": 2}
    events: list[dict[str, Any]] = [started]
    phases = (("baseline", 0, 2), ("faults", 2, 6), ("settle", 6, 10), ("final", 10, 10))
    for name, start, end in phases:
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
            events.append(
                {
                    "t": 3.1,
                    "event": "fault_receipt",
                    "id": "down",
                    "holds": True,
                    "detail": "redis exited (137)",
                }
            )
            events.append(
                {
                    "t": 3.9,
                    "event": "fault_rechecked",
                    "id": "down",
                    "holds": proven,
                    "detail": "redis runs",
                }
            )
            events.append({"t": 4, "event": "fault_healed", "id": "down"})
        events.append({"t": end, "event": "phase_ended", "phase": name})
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


def append(folder: Path, row: dict[str, Any]) -> None:
    """Add an event; one that ended the run early unless the row says which."""
    with (folder / "events.ndjson").open("a") as file:
        file.write(json.dumps({"t": 11, "event": "ended_early"} | row) + "\n")


def test_a_proven_run_with_passing_checks_passes(tmp_path: Path) -> None:
    result = judge(scenario(), RunRecord.read(write(tmp_path)))
    assert (result.verdict, result.exit_code, result.reason) == (Verdict.PASS, 0, None)
    assert result.faults[0].proven
    assert result.faults[0].evidence == ["redis exited (137)"]


def test_an_unproven_fault_makes_passing_checks_unknown(tmp_path: Path) -> None:
    result = judge(scenario(), RunRecord.read(write(tmp_path, proven=False)))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason == "fault `down` is not proven: it was gone before its heal: redis runs"


def test_a_failed_check_beats_an_unproven_fault(tmp_path: Path) -> None:
    result = judge(scenario(), RunRecord.read(write(tmp_path, proven=False, failing=20)))
    assert (result.verdict, result.exit_code) == (Verdict.FAIL, 1)
    assert result.faults[0].time_to_detect == pytest.approx(0.01)
    assert result.faults[0].time_to_recover == pytest.approx(1.01)


@pytest.mark.parametrize(("failing", "detected"), [(39, 0.91), (50, 2.01), (80, None)])
def test_a_failure_long_after_the_heal_is_not_the_detection_of_the_fault(
    tmp_path: Path, failing: int, detected: float | None
) -> None:
    write(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "samples.ndjson").read_text().splitlines()]
    rows[failing]["outcome"] = "fail"
    (tmp_path / "samples.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (fault,) = judge(scenario(), RunRecord.read(tmp_path)).faults
    assert fault.time_to_detect == (None if detected is None else pytest.approx(detected))


@pytest.mark.parametrize("samples", [0, 50])
def test_a_probe_that_did_not_really_run_makes_the_run_unknown(
    tmp_path: Path, samples: int
) -> None:
    result = judge(scenario(), RunRecord.read(write(tmp_path, samples=samples)))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)


def test_a_run_that_ended_early_is_unknown_with_its_own_exit_code(tmp_path: Path) -> None:
    write(tmp_path)
    append(tmp_path, {"reason": "the run was interrupted by SIGTERM", "exit_code": 143})
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 143)
    assert result.reason == "the run was interrupted by SIGTERM"


def test_leftovers_win_over_every_other_exit_code(tmp_path: Path) -> None:
    result = judge(scenario(), RunRecord.read(write(tmp_path, failing=20)))
    left = [Leftover(what="network x", command="docker network rm x")]
    dirty = with_leftovers(result, left, ())
    assert (dirty.verdict, dirty.exit_code) == (Verdict.FAIL, 6)


def test_a_fault_that_was_never_injected_is_not_proven(tmp_path: Path) -> None:
    write(tmp_path)
    events = (tmp_path / "events.ndjson").read_text().splitlines(keepends=True)
    kept = [line for line in events if '"fault_' not in line]
    (tmp_path / "events.ndjson").write_text("".join(kept))
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert result.verdict is Verdict.UNKNOWN
    assert (result.faults[0].fault, result.faults[0].proven) == ("kill", False)


def test_a_folder_without_a_start_gives_a_result_and_not_a_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "20260102T030405Z-small-abc"
    folder.mkdir()
    append(folder, {"reason": "docker went away", "exit_code": 4})
    result = judge(scenario(), RunRecord.read(folder))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 4)
    assert result.run.started_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


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
    result = judge(judged, RunRecord.read(tmp_path))
    measured = Quantity(text="p50 50ms, p99 99ms (of 100)", value=0.05, unit="s")
    assert result.checks[0].measured == measured
    assert result.checks[0].bound == Quantity(text="p50 <= 1s, p99 <= 1s", value=1, unit="s")
    assert result.probes[0].latency_p50 == pytest.approx(0.05)
    assert result.probes[0].latency_p99 == pytest.approx(0.099)


def test_a_run_that_stops_before_its_end_is_unknown_whoever_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    events = (tmp_path / "events.ndjson").read_text().splitlines(keepends=True)
    (tmp_path / "events.ndjson").write_text("".join(events[:-1]))
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason == "the run was cut off in the final phase"


def test_judging_again_gives_the_same_document_and_reads_every_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, failing=5)
    opened: list[str] = []
    real = files.opened

    def counting(path: Path) -> BinaryIO:
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(files, "opened", counting)
    first = judge(scenario(), RunRecord.read(tmp_path))
    assert opened.count("events.ndjson") == opened.count("samples.ndjson") == 1
    second = judge(scenario(), RunRecord.read(tmp_path))
    assert first == second
    assert first.faults[0].proven


def test_what_is_left_behind_is_what_the_last_to_look_said(tmp_path: Path) -> None:
    write(tmp_path)
    left = {"t": 11, "event": "left_behind", "what": "network x", "command": "docker rm x"}
    append(tmp_path, {**left})
    dirty = judge(scenario(), RunRecord.read(tmp_path))
    assert ([one.what for one in dirty.leftovers], dirty.exit_code) == (["network x"], 6)
    append(tmp_path, {"t": 12, "event": "recovery_started", "by": "the guard"})
    clean = judge(scenario(), RunRecord.read(tmp_path))
    assert (clean.leftovers, clean.exit_code) == ([], 0)


LOADED = SCENARIO | {
    "workloads": {
        "calls": {"workload": "load", "operations": {"get": {"http": "GET http://web:80/"}}}
    }
}


@pytest.mark.parametrize(("omitted", "verdict"), [(0, Verdict.PASS), (30, Verdict.UNKNOWN)])
def test_a_workload_that_sent_too_little_of_what_was_due_proves_nothing(
    tmp_path: Path, omitted: int, verdict: Verdict
) -> None:
    write(tmp_path)
    rows = []
    for n in range(20):  # due every 100 ms, sent every 500 ms
        common = {"process": 0, "workload": "calls", "op": "get", "key": None, "value": None}
        t = n / 2
        rows.append({"t": t, "type": "invoke", "id": n, "due": n / 10, **common})
        rows.append({"t": t + 0.05, "type": "ok", "id": n, **common})
    (tmp_path / "history.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    missed = {"op": "get", "count": omitted, "first": 2.0, "last": 5.0}
    schedule = {"start": 0, "end": 10, "timeout": 2, "omitted": [missed] if omitted else []}
    append(
        tmp_path, {"t": 10, "event": "workload_ended", "workload": "calls"} | {"schedule": schedule}
    )
    result = judge(scenario_model().model_validate(LOADED), RunRecord.read(tmp_path))
    assert result.verdict is verdict
    (calls,) = result.workloads
    get = calls.operations["get"]
    assert (get.ok, get.sent, get.due) == (20, 20, 20 + omitted)
    assert calls.latency_p99_from_sent == pytest.approx(0.05)
    assert calls.lateness_p99 == pytest.approx(19 * 0.4)
    if omitted:
        assert "only 20 of the 50 operations `get` of workload `calls`" in (result.reason or "")
        assert calls.latency_p99 == pytest.approx(8.0)  # the first of them waited from 2 to 10 s


def happened(folder: Path, t: float, action: str, service: str = "worker", **more: Any) -> None:
    row = {"t": t, "event": "container", "service": service, "replica": 1, "action": action}
    append(folder, row | {"exit_code": None} | more)


def test_a_bystander_that_stays_down_makes_passing_checks_unknown(tmp_path: Path) -> None:
    write(tmp_path)
    happened(tmp_path, 0.5, "start")
    happened(tmp_path, 3.5, "die", exit_code=1)
    append(tmp_path, {"t": 3.6, "event": "last_lines", "service": "worker", "replica": 1,
                      "died": 3.5, "lines": ["giving up"]})  # fmt: skip
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason == (
        "`worker` exited with code 1 at 3.50 s, during kill redis, and stayed down"
    )
    (death,) = result.stack.deaths
    assert (death.service, death.at, death.exit_code, death.last_lines) == (
        "worker", 3.5, 1, ["giving up"],
    )  # fmt: skip
    assert any("allow: {service: worker, may: exit}" in note for note in result.notes)
    allowing = scenario_model().model_validate(
        SCENARIO | {"allow": {"service": "worker", "may": "exit"}}
    )
    allowed = judge(allowing, RunRecord.read(tmp_path))
    assert allowed.verdict is Verdict.PASS
    assert [one.allowed for one in allowed.stack.deaths] == [True]


def test_a_check_that_fails_beats_a_death(tmp_path: Path) -> None:
    write(tmp_path, failing=20)
    happened(tmp_path, 0.5, "start")
    happened(tmp_path, 3.5, "die", exit_code=1)
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert result.verdict is Verdict.FAIL
    assert result.stack.deaths


def test_what_somebody_else_removed_is_no_failure_of_the_app(tmp_path: Path) -> None:
    write(tmp_path, failing=20)
    happened(tmp_path, 0.5, "start")
    happened(tmp_path, 3.5, "kill", signal=9)
    happened(tmp_path, 3.5, "die", exit_code=137)
    happened(tmp_path, 3.6, "destroy")
    append(tmp_path, {"t": 5, "event": "run_unproven", "text": "what follows from that"})
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert (result.verdict, result.exit_code) == (Verdict.UNKNOWN, 3)
    assert result.reason == "`worker` was removed by somebody else at 3.60 s, during kill redis"


@pytest.mark.parametrize(
    ("outcome", "upstream", "verdict"),
    [
        ("answered", "redis", Verdict.PASS),
        ("refused", "redis", Verdict.UNKNOWN),
        ("refused", "lazy", Verdict.PASS),
    ],
)
def test_an_edge_that_answers_no_more_after_the_heal_makes_the_run_unknown(
    tmp_path: Path, outcome: str, upstream: str, verdict: Verdict
) -> None:
    write(tmp_path)
    for when, how in (("before", "answered"), ("during", "refused"), ("after", outcome)):
        exchange = {"what": "redis PING", "outcome": how, "seconds": 0.001, "sent": 14}
        edge = f"chat -> {upstream}:6379"
        row = {"t": 9, "event": "canary", "id": "down", "edge": edge, "when": when}
        append(tmp_path, row | {"exchange": exchange})
    lazy = {"allow": {"service": "lazy", "may": "exit"}}
    judged = scenario_model().model_validate(SCENARIO | lazy)
    result = judge(judged, RunRecord.read(tmp_path))
    assert result.verdict is verdict
    if verdict is Verdict.UNKNOWN:
        assert result.reason == (
            "after fault `down` was healed, its canary got no answer: redis PING through "
            "chat -> redis:6379: 1ms before, refused after"
        )


def test_an_unmet_gate_shows_what_the_services_said(tmp_path: Path) -> None:
    write(tmp_path)
    append(tmp_path, {"event": "phase_started", "phase": "gate"})
    append(tmp_path, {"event": "phase_ended", "phase": "gate", "cut_off": True})
    append(tmp_path, {"reason": "the steady state was not met"})
    (tmp_path / "logs").mkdir()
    stamp = "2026-01-01T00:00:02.000000000Z"
    (tmp_path / "logs" / "db.log").write_text(f"{stamp} FATAL: no disk\n{stamp} bye\n")
    result = judge(scenario(), RunRecord.read(tmp_path))
    assert result.stack.last_logs == {"db": ["FATAL: no disk"]}


def test_the_peak_memory_of_a_service_is_the_most_that_was_seen(tmp_path: Path) -> None:
    folder = write(tmp_path)
    services = [{"service": "web"}, {"service": "redis"}]
    append(folder, {"event": "services", "services": services})
    for memory in (4096, 9000, 5000):
        append(folder, {"event": "resources", "host": None, "services": {"web": memory}})
    result = judge(scenario(), RunRecord.read(folder))
    assert [(one.service, one.peak_memory) for one in result.stack.services] == [
        ("web", 9000),
        ("redis", None),
    ]


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
            RunRecord.read(folder),
        )
        .checks[0]
        .verdict
        for more in ({}, {"initial": 0})
    ]
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


@pytest.mark.parametrize(
    ("edge", "told"),
    [
        ({"client": "web", "upstream": "redis", "proxied": True}, True),
        ({"client": "web", "upstream": "redis", "proxied": False}, False),
        ({"client": "redis", "upstream": "db", "proxied": True}, False),
    ],
)
def test_a_restart_behind_a_proxy_says_that_a_changed_address_was_not_tested(
    tmp_path: Path, edge: dict[str, Any], told: bool
) -> None:
    write(tmp_path)
    append(tmp_path, {"event": "edges", "edges": [{"port": 6379, **edge}]})
    result = judge(scenario(), RunRecord.read(tmp_path))
    said = [note for note in result.notes if "changed address of `redis` was not tested" in note]
    assert bool(said) is told
    assert not told or said[0].startswith("`web` reached `redis` through a proxy")
