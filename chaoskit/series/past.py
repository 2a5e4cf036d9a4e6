"""What a scenario did before: kept in the folder of each run, so that its reports know it too."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from chaoskit.files import write_whole
from chaoskit.record.folder import PAST
from chaoskit.series.index import Index

MOST = 20  # runs


def remember(folder: Path) -> str | None:
    """Add a run that has its result to the index, and write its scenario's last runs up to this one
    into its folder. Return what went wrong, in words: a run ends as it ends without it."""
    try:
        with Index.of(folder.parent) as index:
            rows = index.rows()
        place = next((n for n, row in enumerate(rows) if row.run == folder.name), None)
        if place is None:
            return f"run `{folder.name}` is not in the index of `{folder.parent}`"
        rows = [row for row in rows[: place + 1] if row.scenario == rows[place].scenario]
        past = [
            {
                "run": row.run,
                "verdict": row.verdict,
                "started": row.started,
                "seconds": row.seconds,
                "recovery": dict(row.recovery),
            }
            for row in rows[-MOST:]
        ]
        write_whole(folder / PAST, json.dumps(past, indent=2) + "\n")
    except (OSError, sqlite3.Error) as error:
        return f"the past of run `{folder.name}` is not kept: {error}"
    return None
