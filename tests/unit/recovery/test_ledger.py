"""The ledger: what must be undone is on disk before it is done, and can be read after any kill."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed
from chaoskit.record.folder import RunFolder, read_ndjson
from chaoskit.records import Json
from chaoskit.recovery.ledger import LEDGER, Entry, Ledger, read_ledger
from chaoskit.secrets import Redactor

UNDO: dict[str, Json] = {"rows": [{"container": "chaoskit-chat", "proxy": "redis_6379"}]}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "x", datetime(2026, 1, 1, tzinfo=UTC), Redactor(), "t")


def test_each_entry_says_how_far_it_got(folder: RunFolder) -> None:
    ledger = Ledger(folder, Clock(), "run-1")
    for name in ("stack", "slow", "kill"):
        ledger.intent(name, "latency", UNDO)
    ledger.done("stack")
    ledger.done("slow")
    ledger.healed("slow")
    ledger.close()
    assert read_ledger(folder.path / LEDGER) == [
        Entry("stack", "latency", UNDO, done=True),
        Entry("slow", "latency", UNDO, done=True, healed=True),
        Entry("kill", "latency", UNDO),
    ]


def test_it_opens_with_the_run_and_its_project(folder: RunFolder) -> None:
    Ledger(folder, Clock(), "run-1").close()
    (row,) = read_ndjson(folder.path / LEDGER)
    assert (row["step"], row["run"], row["project"]) == ("open", folder.id, "run-1")


def test_an_intent_is_synced_to_disk_before_it_returns(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    path = folder.path / LEDGER
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append(len(path.read_text().splitlines())))
    ledger = Ledger(folder, Clock(), "run-1")
    ledger.intent("slow", "latency", UNDO)
    ledger.close()
    assert seen == [1, 2]


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_a_ledger_cut_off_anywhere_reads_as_what_was_complete(folder: RunFolder, kept: int) -> None:
    ledger = Ledger(folder, Clock(), "run-1")
    ledger.intent("slow", "latency", UNDO)
    ledger.done("slow")
    ledger.close()
    path = folder.path / LEDGER
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - kept)])
    complete = path.read_bytes().count(b"\n")
    found = read_ledger(path)
    assert len(found) == (1 if complete >= 2 else 0)
    assert [entry.done for entry in found] == [complete >= 3][: len(found)]


def test_whoever_heals_after_a_kill_can_go_on_writing_it(folder: RunFolder) -> None:
    ledger = Ledger(folder, Clock(), "run-1")
    ledger.intent("slow", "latency", UNDO)
    ledger.close()
    path = folder.path / LEDGER
    path.write_bytes(path.read_bytes() + b'{"t":1,"step":"do')
    another = folder.ndjson(LEDGER, durable=True)
    another.append({"t": 2, "step": "healed", "id": "slow"})
    another.close()
    assert read_ledger(path) == [Entry("slow", "latency", UNDO, healed=True)]


def test_a_healed_line_without_an_intent_is_ignored(folder: RunFolder) -> None:
    ledger = Ledger(folder, Clock(), "run-1")
    ledger.healed("nobody")
    ledger.close()
    assert read_ledger(folder.path / LEDGER) == []


def test_a_run_without_a_ledger_has_nothing_to_undo(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / LEDGER) == []


def test_a_ledger_that_cannot_be_written_stops_the_run(folder: RunFolder) -> None:
    (folder.path / LEDGER).mkdir()
    with pytest.raises(StoreFailed):
        Ledger(folder, Clock(), "run-1")
