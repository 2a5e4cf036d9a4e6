"""The logs of a run folder: what is written never grows beyond its limit, nor holds a secret."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from chaoskit.record.logs import LogFile, LogWriter
from chaoskit.secrets import Redactor

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
STAMP = "2026-01-01T00:00:01.000000000Z"


def test_secrets_are_masked_as_the_lines_are_written(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "logs" / "web.log", Redactor(["hunter22"]))
    assert writer.write(STAMP, "password hunter22 of http://me:other@db/")
    assert (tmp_path / "logs" / "web.log").read_text() == (
        f"{STAMP} password *** of http://me:***@db/\n"
    )
    writer.close()


def test_a_log_is_cut_at_its_limit_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "web.log"
    writer = LogWriter(path, Redactor(), limit=100)
    assert writer.write(STAMP, "x" * 20)
    assert not writer.write(STAMP, "y" * 80)
    assert not writer.write(STAMP, "z")
    writer.close()
    first, last = path.read_text().splitlines()
    assert first.endswith("x")
    assert "chaoskit: cut here" in last


def test_who_goes_on_writing_counts_what_is_there_already(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "web.log"
    first = LogWriter(path, Redactor(), limit=100)
    first.write(STAMP, "x" * 50)
    first.close()
    second = LogWriter(path, Redactor(), limit=100)
    assert second.last_stamp() == STAMP
    assert not second.write(STAMP, "y" * 50)
    second.close()


def test_a_new_log_has_no_last_line(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path / "logs" / "web.log", Redactor())
    assert writer.last_stamp() == ""
    writer.close()


def test_reading_a_large_log_takes_no_memory_to_speak_of(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text(f"{STAMP} {'x' * 1000}\n" * 20_000)  # 20 MB
    tracemalloc.start()
    read = sum(1 for _ in LogFile(path, STARTED).between(0.0, 2.0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == 20_000
    assert peak < 1_000_000
