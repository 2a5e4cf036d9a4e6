"""Run locks: one owner at a time, and none when it is dead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaoskit.errors import StoreFailed
from chaoskit.record.lock import LOCK, RunLock, live_owner, unfinished

OWN = """
import sys, time
from pathlib import Path
from chaoskit.record.lock import RunLock
RunLock.make(Path(sys.argv[1]))
print("owned", flush=True)
time.sleep(60)
"""


@contextmanager
def another_owner(folder: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", OWN, str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "owned\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_owner_is_known_until_it_is_killed_and_then_another_takes_over(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        assert live_owner(tmp_path) == owner.pid
        assert RunLock.take(tmp_path) is None
        with pytest.raises(StoreFailed, match="belongs to another process"):
            RunLock.make(tmp_path)
    assert live_owner(tmp_path) is None
    assert (tmp_path / LOCK).exists(), "a killed run is unfinished"
    lock = RunLock.take(tmp_path)
    assert lock is not None
    lock.release(finished=True)
    assert not (tmp_path / LOCK).exists()
    assert RunLock.take(tmp_path) is None, "a finished run has nothing to take"


def test_what_was_not_finished_can_be_taken_again(tmp_path: Path) -> None:
    RunLock.make(tmp_path).release(finished=False)
    again = RunLock.take(tmp_path)
    assert again is not None
    again.release(finished=False)
    assert live_owner(tmp_path) is None


def test_a_lock_whose_file_was_removed_belongs_to_nobody(tmp_path: Path) -> None:
    lock = RunLock.make(tmp_path)
    (tmp_path / LOCK).unlink()
    assert live_owner(tmp_path) is None
    assert RunLock.take(tmp_path) is None
    lock.release(finished=True)


def test_unfinished_runs_are_found_once_and_in_order(tmp_path: Path) -> None:
    for name in ("2026-b", "2026-a", "2026-c"):
        (tmp_path / name).mkdir()
    for name in ("2026-b", "2026-a"):
        RunLock.make(tmp_path / name).release(finished=False)
    (tmp_path / "latest").symlink_to("2026-b")
    assert [path.name for path in unfinished(tmp_path)] == ["2026-a", "2026-b"]
    assert unfinished(tmp_path / "nowhere") == []
