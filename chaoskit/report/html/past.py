"""The scenario's last runs, where `past.json` in the run folder lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chaoskit.errors import StoreFailed
from chaoskit.record.folder import PAST, read_document
from chaoskit.text import seconds_text

_MOST = 20
_SIGNS = {"passed": "\u2713", "failed": "\u2717", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class PastRun:
    """One earlier run: its verdict in a word and as a sign, when and how long it was."""

    run: str
    verdict: str
    sign: str
    started: str
    took: str
    recovery: str


def past_runs(folder: Path) -> list[PastRun]:
    """Return the last runs, oldest first; none where nothing that can be read lists them."""
    try:
        rows = read_document(folder / PAST)
    except (FileNotFoundError, StoreFailed):
        return []
    return (
        [_run(row) for row in rows[-_MOST:] if isinstance(row, dict)]
        if isinstance(rows, list)
        else []
    )


def _run(row: Mapping[str, object]) -> PastRun:
    verdict, seconds, recovery = (
        str(row.get("verdict", "?")),
        row.get("seconds"),
        row.get("recovery"),
    )
    verdict = {"pass": "passed", "fail": "failed"}.get(verdict, verdict)
    return PastRun(
        run=str(row.get("run", "")),
        verdict=verdict,
        sign=_SIGNS.get(verdict, "-"),
        started=str(row.get("started", "")),
        took=_length(seconds),
        recovery=", ".join(
            f"{name} {_length(value)}"
            for name, value in (recovery.items() if isinstance(recovery, dict) else ())
        ),
    )


def _length(value: object) -> str:
    finite = isinstance(value, int | float) and abs(value) < 1e9
    return seconds_text(value) if finite else "-"  # type: ignore[arg-type]  # checked just above
