"""What the benches share: running commands, medians, a row of the table."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAOSKIT = ROOT / ".venv/bin/chaoskit"
PYTHON = ROOT / ".venv/bin/python"
STACK = ROOT / "compose/participants/compose.yaml"
LAB = "chaoskit/lab:1"


def timed(argv: list[str], **options: object) -> float:
    """Run a command and return the seconds it took; a failing command is an error."""
    start = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.monotonic() - start


def median(function: Callable[[], float], times: int) -> float:
    return statistics.median(function() for _ in range(times))


def row(what: str, ours: float, other: float, budget: float) -> bool:
    """Print one comparison; return whether it is within its budget."""
    ratio = ours / other
    verdict = "ok" if ratio <= budget else "OVER"
    print(f"{verdict:<5} {what:<58} {ours:8.3f} s / {other:8.3f} s = {ratio:5.2f}  (<= {budget})")
    return ratio <= budget
