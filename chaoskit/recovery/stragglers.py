"""Processes that a run started on this machine and that outlived it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from chaoskit.docker.compose_cli import PROJECT_VARIABLE


def kill_stragglers(project: str) -> list[int]:
    """Kill what the dead process had started on this machine, and return what was still there: its
    `docker compose up` would go on making containers while they are removed."""
    wanted = f"{PROJECT_VARIABLE}={project}".encode()
    found = [pid for pid in _pids() if wanted in _environment(pid)]
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return found


def _pids() -> Iterator[int]:
    with contextlib.suppress(OSError):
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != os.getpid():
                yield int(path.name)


def _environment(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []
