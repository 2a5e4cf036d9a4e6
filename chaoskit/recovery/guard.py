"""The runner's side of the guard: starting it, telling it of leases, letting it go."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, BinaryIO, cast

from chaoskit.recovery import guard_process

LOG = "guard.log"
_MARGIN = 3.0  # seconds after a lease for the runner's own heal to begin
_HEALING = 45.0  # seconds the runner's own heal may take once it has begun
_FAREWELL = 2.0


class Guard:
    """A process in a session of its own that heals and tears down if this one dies.

    It notices by the end of a pipe that nobody else holds. Should it be killed itself, it is
    started again with the next thing it must know; in between, the ledger says everything.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._leases: dict[str, float] = {}
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        script = str(Path(guard_process.__file__).resolve())
        with self._log() as log:
            return subprocess.Popen(
                # Without `site` and the environment's options: it starts quickly and stays small.
                [sys.executable, "-S", "-s", script, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )

    def _log(self) -> BinaryIO:
        try:
            return (self._folder / LOG).open("ab")
        except OSError:  # a full disk must not stop the guard
            return Path(os.devnull).open("ab")

    @property
    def _pipe(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def pid(self) -> int:
        return self._process.pid

    def lease(self, fault: str, seconds: float) -> None:
        """Have a fault healed that many seconds from now, and a margin, whatever happens here."""
        self._leases[fault] = time.monotonic() + seconds + _MARGIN
        self._tell(f"lease {fault} {self._leases[fault]:.3f}")

    def healing(self, fault: str) -> None:
        """The heal has begun; the guard waits for it longer, but not for ever."""
        if fault in self._leases:
            self.lease(fault, _HEALING)

    def healed(self, fault: str) -> None:
        if self._leases.pop(fault, None) is not None:
            self._tell(f"healed {fault}")

    def memory(self) -> int | None:
        """Return its resident memory in bytes, None where the system does not tell."""
        with contextlib.suppress(OSError, ValueError, StopIteration):
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            row = next(line for line in lines if line.startswith("VmRSS:"))
            return int(row.split()[1]) * 1024
        return None

    def dismiss(self) -> None:
        """Let it go: nothing is left to be undone."""
        with contextlib.suppress(OSError):
            self._pipe.write(b"done\n")
            self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        log = self._folder / LOG
        with contextlib.suppress(OSError):
            if not log.stat().st_size:
                log.unlink()

    def _tell(self, line: str) -> None:
        try:
            self._write(line)
        except OSError:
            # It is gone, or a zombie by now; where it is neither, the end of its pipe tells it to
            # heal and the new one finds that done.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL)
            with contextlib.suppress(OSError):  # what is still in its buffer goes nowhere
                self._pipe.close()
            self._process = self._started()
            for fault, end in self._leases.items():
                self._write(f"lease {fault} {end:.3f}")

    def _write(self, line: str) -> None:
        self._pipe.write(line.encode() + b"\n")
        self._pipe.flush()
