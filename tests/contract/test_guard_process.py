"""The guard process: heals when its parent is gone or a lease is over, and never otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaoskit.recovery import guard_process
from chaoskit.recovery.guard import LOG, Guard

HEALER = """
import sys, pathlib
pathlib.Path(sys.argv[1], "healed").open("a").write(" ".join(sys.argv[2:]) + "\\n")
"""


@pytest.fixture(autouse=True)
def _healer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a healer in the place of the real one that only says what it was asked for."""
    package = tmp_path / "fake" / "chaoskit" / "recovery"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "recover.py").write_text(HEALER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))


def healed(folder: Path, count: int, within: float = 5.0) -> list[str]:
    """Return what the healer was asked for, once it was asked so many times."""
    ends = time.monotonic() + within
    while True:
        path = folder / "healed"
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count or time.monotonic() > ends:
            return lines
        time.sleep(0.01)


def test_a_guard_that_cannot_be_told_anything_and_does_not_end_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.recovery.guard._FAREWELL", 0.1)
    guard = Guard(tmp_path)
    first = guard._process
    deaf = subprocess.Popen(["sh", "-c", "exec sleep 60 <&-"], stdin=subprocess.PIPE)
    guard._process = deaf
    try:
        start = time.monotonic()
        while guard.pid == deaf.pid:  # until its end of the pipe is closed
            guard.lease("slow", 60.0)
            assert time.monotonic() - start < 5
        guard.dismiss()
    finally:
        deaf.kill()
        deaf.wait()
        guard._process = first
        guard.dismiss()


def test_a_guard_that_is_let_go_heals_nothing(tmp_path: Path) -> None:
    guard = Guard(tmp_path)
    memory = guard.memory()
    assert memory is not None
    assert memory < 20 * 2**20
    guard.dismiss()
    assert not (tmp_path / "healed").exists()
    assert not (tmp_path / LOG).exists(), "an empty log says nothing"


def test_it_heals_when_its_parent_is_gone_however_it_is_asked_to_end_before(tmp_path: Path) -> None:
    argv = [sys.executable, "-S", "-s", guard_process.__file__, str(tmp_path)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, cwd="/")
    assert process.stdin is not None
    process.stdin.write(b"lease slow 99999999.0\nhalf a li")
    process.stdin.flush()
    time.sleep(0.2)  # it has to be listening before it can ignore anything
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, sign)
    assert process.poll() is None
    start = time.monotonic()
    process.stdin.close()
    assert healed(tmp_path, 1) == [""]
    assert time.monotonic() - start < 2
    assert process.wait() == 0


def test_it_heals_a_fault_whose_lease_is_over_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.recovery.guard._MARGIN", 0.1)
    guard = Guard(tmp_path)
    guard.lease("long", 60.0)
    guard.lease("over", 0.0)
    guard.lease("in-time", 0.2)
    guard.healed("in-time")
    assert healed(tmp_path, 2, within=0.6) == ["--lease over"]
    guard.dismiss()


def test_a_heal_that_has_begun_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.recovery.guard._MARGIN", 0.2)
    guard = Guard(tmp_path)
    guard.lease("slow", 0.0)
    guard.healing("slow")
    guard.healing("without a lease")
    assert healed(tmp_path, 1, within=0.5) == []
    guard.dismiss()


def test_a_killed_guard_is_started_again_and_knows_the_leases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaoskit.recovery.guard._MARGIN", 0.3)
    guard = Guard(tmp_path)
    guard.lease("early", 0.0)
    first = guard.pid
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    guard.lease("other", 60.0)
    assert guard.pid != first
    assert healed(tmp_path, 1) == ["--lease early"]
    guard.dismiss()
