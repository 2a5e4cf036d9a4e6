"""A run folder read back is what was recorded, also when the run was cut off."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed, UsageError
from chaoskit.record.events import (
    EdgeSeen,
    EdgesObserved,
    Noted,
    Recorded,
    RunUnproven,
    WorkloadEnded,
    read_events,
)
from chaoskit.record.folder import PLAN, RunFolder
from chaoskit.record.reader import RunLog, RunRecord, stored_scenario
from chaoskit.record.writer import Recorder
from chaoskit.records import (
    ContainerEvent,
    EdgeUse,
    Event,
    FaultWindow,
    Json,
    LogLine,
    Omitted,
    Phase,
    Sample,
    Schedule,
)
from chaoskit.secrets import Redactor

EVENTS: list[dict[str, Json]] = [
    {"t": 0, "event": "run_started", "started_at": "2026-01-01T00:00:00+00:00"},
    {"t": 0.1, "event": "services", "services": [{"service": "chat"}, {"service": "redis"}]},
    {"t": 0.2, "event": "phase_started", "phase": "baseline"},
    {"t": 3, "event": "phase_ended", "phase": "baseline"},
    {"t": 3, "event": "phase_started", "phase": "faults"},
    {"t": 4, "event": "fault_injected", "id": "k", "fault": "kill", "target": "redis",
     "services": ["redis"]},
    {"t": 4.1, "event": "container", "service": "redis", "replica": 1, "action": "die",
     "exit_code": 137},
    {"t": 5, "event": "fault_healed", "id": "k"},
    {"t": 5, "event": "fault_healed", "id": "unknown"},
    {"t": 5.5, "event": "fault_injected", "id": "s", "fault": "stop", "target": "redis",
     "services": []},
    {"t": 6, "event": "note", "text": "a note"},
    {"t": 6, "event": "doubt", "text": "a doubt"},
    {"t": 6, "event": "something_new", "more": 1},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Json]], tail: str = "") -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    write(tmp_path / "events.ndjson", EVENTS, '{"t": 7, "event": "no')
    return tmp_path


def test_phases_and_faults_that_had_no_end_stay_open(run: Path) -> None:
    evidence = RunRecord.read(run).evidence
    assert evidence.phases == [Phase("baseline", 0.2, 3), Phase("faults", 3, None)]
    assert evidence.faults == [
        FaultWindow("k", "kill", "redis", 4, 5, ("redis",), ends_processes=True),
        FaultWindow("s", "stop", "redis", 5.5, None, (), ends_processes=True),
    ]
    assert evidence.containers == [ContainerEvent(4.1, "redis", 1, "die", 137)]
    assert evidence.services == ["chat", "redis"]


def test_notes_and_what_makes_a_run_unproven_are_kept_apart(run: Path) -> None:
    log = RunLog(read_events(run))
    assert log.every(Noted) == [Noted("a note")]
    assert log.every(RunUnproven) == [RunUnproven("a doubt")]


def test_log_lines_are_placed_on_the_run_s_clock(run: Path) -> None:
    (run / "logs" / "chat.log").write_text(
        "2026-01-01T00:00:01.000000000Z one more word\n"
        "no time at all\n"
        "2026-01-01T00:00:02.500000001Z two\x85and\x0bmore\n"
        "2026-01-01T00:00:03.250000000Z\n"
    )
    (run / "logs" / ".log").write_text("2026-01-01T00:00:01.000000000Z of a helper\n")
    logs = RunRecord.read(run).evidence.logs
    assert list(logs) == ["chat"]
    assert list(logs["chat"].between(float("-inf"), float("inf"))) == [
        LogLine(1.0, "chat", "one more word"),
        LogLine(2.5, "chat", "two\x85and\x0bmore"),
        LogLine(3.25, "chat", ""),
    ]
    assert [line.text for line in logs["chat"].between(1.5, 3.0)] == ["two\x85and\x0bmore"]


def test_samples_and_operations_come_back_as_they_were_recorded(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "x", datetime(2026, 1, 1, tzinfo=UTC), Redactor(), "t")
    listened: list[Recorded] = []
    recorder = Recorder(folder, Clock(), listened.append)
    samples = [
        Sample("cache", 0.1, 0.1, 0.2, "ok", None, {"count": 3}),
        Sample("cache", 0.2, 0.2, 0.3, "fail", "connection refused"),
    ]
    events = [
        Event(0.5, "invoke", 0, "members", "add", None, 17, 1, None, 0.25, "4bf9" * 8),
        Event(0.6, "info", 0, "members", "add", None, 17, 1, "timed out"),
    ]
    for sample in samples:
        recorder.sample(sample)
    for event in events:
        recorder.operation(event)
    recorder.emit(Noted("hello"), t=1.5)
    schedule = Schedule(0.2, 9.5, 2.0, (Omitted("add", 3, 8.0, 9.0),))
    recorder.emit(WorkloadEnded("members", schedule), t=9.6)
    recorder.emit(EdgesObserved((EdgeSeen("web", "api", 80, None, True, 3),)))
    recorder.close()
    evidence = RunRecord.read(folder.path).evidence
    assert evidence.edges == [EdgeUse("web", "api", 80, 3)]
    assert evidence.samples == {"cache": samples}
    assert evidence.history == {"members": events}
    assert evidence.schedules == {"members": schedule}
    assert list(schedule.omitted[0].dues()) == [8.0, 8.5, 9.0]
    assert listened[0] == Recorded(1.5, Noted("hello"))
    count = recorder.counts.probes["cache"]
    assert (count.samples, count.failed, count.last, count.good_since) == (2, 1, samples[1], None)
    assert recorder.counts.workloads["members"].info == 1


def test_a_run_that_was_killed_before_it_wrote_anything_is_empty(tmp_path: Path) -> None:
    evidence = RunRecord.read(tmp_path).evidence
    assert (evidence.phases, evidence.faults, evidence.samples) == ([], [], {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read"),
        ("", "line 1: Expecting value"),
        ("{\n", "line 2: Expecting property name"),
        ("[]", "does not hold"),
        ('{"document": {}}', "does not hold"),
        ('{"document": {"name": "x", "of": "another version"}}', "does not hold"),
    ],
)
def test_a_folder_without_its_scenario_says_so(
    tmp_path: Path, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / PLAN).write_text(text)
    with pytest.raises(StoreFailed, match=words):
        stored_scenario(tmp_path)


def test_a_damaged_line_in_the_middle_of_a_history_is_an_error(tmp_path: Path) -> None:
    whole = '{"t": 1, "type": "invoke", "id": 0, "op": "add", "workload": "w", "value": 1}\n'
    history = tmp_path / "history.ndjson"
    history.write_text(whole + '{"t": 1.1, "ty\n' + whole.replace('"id": 0', '"id": 1'))
    with pytest.raises(UsageError, match=r"history\.ndjson:2: not JSON"):
        RunRecord.read(tmp_path)
    history.write_text(whole + '{"t": 1.1, "ty')
    assert len(RunRecord.read(tmp_path).evidence.history["w"]) == 1, "torn by a kill"
    history.write_text('{"t": 1.1, "ty')
    assert RunRecord.read(tmp_path).evidence.history == {}
