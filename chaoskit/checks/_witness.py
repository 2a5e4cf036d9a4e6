"""The lines that show a failure: at most six, oldest first."""

from __future__ import annotations

from collections.abc import Sequence

from chaoskit.checks._fault_position import fault_at
from chaoskit.checks._health import Stretch
from chaoskit.records import Evidence
from chaoskit.text import moment

LINES = 6


def capped(lines: Sequence[str], total: int | None = None) -> tuple[str, ...]:
    """Return all lines, or the first five and how many more there are of the `total`."""
    many = len(lines) if total is None else total
    if many <= LINES:
        return tuple(lines)
    return (*lines[: LINES - 1], f"... and {many - LINES + 1} more")


def failing(stretch: Stretch, evidence: Evidence) -> str:
    """Return one line for a stretch of failing samples: when, how many, the error, the fault."""
    first, last = stretch.samples[0], stretch.samples[-1]
    when = moment(first.due)
    if len(stretch.samples) > 1:
        when = f"{first.due:.2f} - {moment(last.due)}"
    error = f" ({first.error})" if first.error else ""
    position = fault_at(evidence, first.done)
    return traced(f"{when}: {len(stretch.samples)} failed{error}, {position}", first.trace)


def traced(line: str, trace: str | None) -> str:
    """Return a line of a witness with the id of the trace of the operation that it shows."""
    return line if trace is None else f"{line} (trace {trace})"
