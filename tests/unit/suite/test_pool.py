"""How many scenarios a machine runs at once, and what a job tells the process that does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaoskit.suite import pool
from chaoskit.suite.execution import Settings
from chaoskit.suite.pool import bounded
from chaoskit.suite.worker import job_of, settings_of

GIB = 1024**3


@pytest.mark.parametrize(
    ("asked", "cores", "free", "expected", "why"),
    [
        (1, 2, 8 * GIB, 1, None),
        (2, 2, 8 * GIB, 2, None),
        (8, 2, 8 * GIB, 2, "`--parallel 8` becomes 2: this machine has 2 processors"),
        (4, 8, 2 * GIB, 2, "`--parallel 4` becomes 2: 2.0 GiB of memory are free"),
        (4, 8, GIB // 2, 1, "`--parallel 4` becomes 1: 0.5 GiB of memory are free"),
        (4, 8, None, 4, None),
    ],
)
def test_processors_and_memory_bound_how_many_run_at_once(
    monkeypatch: pytest.MonkeyPatch,
    asked: int,
    cores: int,
    free: int | None,
    expected: int,
    why: str | None,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setattr(pool, "_available_memory", lambda: free)
    at_once, said = bounded(asked)
    assert at_once == expected
    assert (said or "").startswith(why or "")
    assert (said is None) == (why is None)


def test_a_job_carries_every_setting() -> None:
    settings = Settings(Path("runs"), 7, ("kill",), keep=True, allow_host_exec=True, silent=True)
    job = json.loads(job_of(Path("a.yaml"), settings))
    assert job["path"] == "a.yaml"
    assert settings_of(job["settings"]) == settings
