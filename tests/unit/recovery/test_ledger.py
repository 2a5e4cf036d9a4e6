"""The ledger: what must be undone is on disk before it is done, and can be read after any kill."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed
from chaoskit.faults.engines.toxics import EdgeUndo, ProxyRow
from chaoskit.faults.exec import ExecUndo
from chaoskit.faults.postgres_lock import LockUndo
from chaoskit.record.folder import RunFolder, read_ndjson
from chaoskit.records import Json
from chaoskit.recovery.ledger import LEDGER, Ledger, opening_of, project_of, read_ledger
from chaoskit.recovery.signing import Signer, own_key
from chaoskit.secrets import Redactor

UNDO = EdgeUndo(rows=(ProxyRow(container="chaoskit-chat", proxy="redis_6379"),))


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
    found = read_ledger(folder.path / LEDGER)
    assert [(entry.id, entry.done, entry.healed) for entry in found] == [
        ("stack", True, False),
        ("slow", True, True),
        ("kill", False, False),
    ]
    assert all(entry.undo == UNDO for entry in found)


def test_it_opens_with_the_run_and_its_project(folder: RunFolder) -> None:
    Ledger(folder, Clock(), "run-1").close()
    (row,) = read_ndjson(folder.path / LEDGER)
    assert (row["step"], row["run"], row["project"]) == ("open", folder.id, "run-1")


def test_who_made_the_stack_counts_only_where_this_user_wrote_it(folder: RunFolder) -> None:
    maker = Path("/runs/20260101T000000Z-first-a")
    Ledger(folder, Clock(), "run-1", maker).close()
    path = folder.path / LEDGER
    opening = opening_of(path)
    assert opening is not None
    assert (opening.signed, opening.maker) == (True, maker)
    path.write_text(path.read_text().replace("first", "other"))
    opening = opening_of(path)
    assert opening is not None
    assert (opening.signed, opening.maker) == (False, None)


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
    another = Ledger(folder, Clock(), None)
    another.healed("slow")
    another.close()
    (entry,) = read_ledger(path)
    assert (entry.id, entry.healed, entry.undo) == ("slow", True, UNDO)


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


def test_what_is_called_like_a_secret_is_found_again_and_commands_are_masked(
    tmp_path: Path,
) -> None:
    redactor = Redactor(["postgres", "chatapp"])
    folder = RunFolder.create(tmp_path, "x", datetime(2026, 1, 1, tzinfo=UTC), redactor, "t")
    locked = LockUndo(
        fault="lock", service="postgres-db", port=None, database="chatapp", table="t",
        mode="SHARE", seconds=9,
    )  # fmt: skip
    ran = ExecUndo(
        fault="own", service="db", replicas=(1,), verify=["psql", "-h", "chatapp"],
        heal="echo chatapp", timeout=1, directory="/",
    )  # fmt: skip
    ledger = Ledger(folder, Clock(), "postgres-run-1")
    ledger.intent("postgres_lock", "postgres_lock", locked)
    ledger.intent("own", "exec", ran)
    ledger.close()
    path = folder.path / LEDGER
    assert project_of(path) == "postgres-run-1"
    lock, own = read_ledger(path)
    assert (lock.id, lock.kind, lock.undo) == ("postgres_lock", "postgres_lock", locked)
    masked = {"verify": ["psql", "-h", "***"], "heal": "echo ***"}
    assert own.undo == ran.model_copy(update=masked)


@pytest.mark.parametrize(
    ("kind", "changed", "says"),
    [
        (
            "latency",
            {"rows": 5},
            r"ledger.ndjson` line 3: `rows` of the undo data of fault `bad`",
        ),
        ("latency", {"rows": [{"container": "x"}]}, r"line 3: `rows.0.proxy` .*Field required"),
        ("latency", {"surprise": 1}, r"line 3: `surprise` .*Extra inputs"),
        ("from_tomorrow", {}, r"line 3: this chaoskit knows no fault `from_tomorrow`"),
    ],
)
def test_undo_data_that_is_no_good_is_named_and_keeps_no_other_from_being_read(
    folder: RunFolder, kind: str, changed: dict[str, Json], says: str
) -> None:
    ledger = Ledger(folder, Clock(), "run-1")
    ledger.intent("good", "latency", UNDO)
    ledger.close()
    path = folder.path / LEDGER
    written = {**UNDO.model_dump(mode="json"), **changed}
    row: dict[str, Json] = {"t": 1, "step": "intent", "id": "bad", "kind": kind, "undo": written}
    signed = Signer(own_key(), folder.path).sign(row)
    path.write_text(path.read_text() + json.dumps(signed) + "\n")
    good, bad = read_ledger(path)
    assert good.undo == UNDO
    with pytest.raises(StoreFailed, match=says):
        _ = bad.undo


@pytest.mark.parametrize(("version", "reads"), [(0, False), (1, True), (2, True), (3, False)])
def test_it_reads_its_own_version_and_the_one_before(
    folder: RunFolder, version: int, reads: bool
) -> None:
    Ledger(folder, Clock(), "run-1").close()
    path = folder.path / LEDGER
    path.write_text(path.read_text().replace('"version":2', f'"version":{version}'))
    if reads:
        assert project_of(path) == "run-1"
        return
    with pytest.raises(StoreFailed, match=f"has format {version}, this chaoskit reads 1 and 2"):
        project_of(path)
