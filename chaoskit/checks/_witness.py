"""The lines that show a failure: at most six, oldest first."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.checks._base import fault_at
from chaoskit.checks._health import Stretch
from chaoskit.checks._text import moment
from chaoskit.records import Evidence, FaultWindow

LINES = 6


def capped(lines: Sequence[str]) -> tuple[str, ...]:
    """Return all lines, or the first five and how many more there are."""
    if len(lines) <= LINES:
        return tuple(lines)
    return (*lines[: LINES - 1], f"... and {len(lines) - LINES + 1} more")


def named(fault: FaultWindow) -> str:
    """Return a fault the way a sentence names it: `kill redis`, `latency chat -> redis`."""
    return f"{fault.fault} {fault.target}"


def failing(stretch: Stretch, evidence: Evidence) -> str:
    """Return one line for a stretch of failing samples: when, how many, the error, the fault."""
    first, last = stretch.samples[0], stretch.samples[-1]
    when = moment(first.sent)
    if len(stretch.samples) > 1:
        when = f"{first.sent:.2f} - {moment(last.sent)}"
    error = f" ({first.error})" if first.error else ""
    return f"{when}: {len(stretch.samples)} failed{error}, {fault_at(evidence, first.done)}"
