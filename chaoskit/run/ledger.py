"""The ledger: what must be undone, written and synced to disk before it is done.

One JSON line per step: `intent` (with everything needed to undo it), `done`, `healed`. What has an
intent and no `healed` must be undone, newest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from chaoskit.clock import Clock
from chaoskit.records import Json
from chaoskit.store.folder import RunFolder, read_ndjson

LEDGER = "ledger.ndjson"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the world: its id, its sort (`stack` or a fault kind) and its undo data."""

    id: str
    kind: str
    undo: Mapping[str, Json]
    done: bool = False
    healed: bool = False


class Ledger:
    """Appends to the ledger of one run."""

    def __init__(self, folder: RunFolder, clock: Clock, project: str) -> None:
        self._file = folder.ndjson(LEDGER, durable=True)
        self._clock = clock
        self._append({"step": "open", "version": VERSION, "run": folder.id, "project": project})

    def _append(self, row: Mapping[str, Json]) -> None:
        self._file.append({"t": round(self._clock.now(), 6), **row})

    def intent(self, id: str, kind: str, undo: Mapping[str, Json]) -> None:
        """Promise to undo: must return before the change is made."""
        self._append({"step": "intent", "id": id, "kind": kind, "undo": undo})

    def done(self, id: str) -> None:
        self._append({"step": "done", "id": id})

    def healed(self, id: str) -> None:
        self._append({"step": "healed", "id": id})

    def close(self) -> None:
        self._file.close()


def read_ledger(path: Path) -> list[Entry]:
    """Return every entry of a ledger file, oldest first; a torn last line is left out."""
    entries: dict[str, Entry] = {}
    for row in read_ndjson(path):
        name = str(row.get("id", ""))
        if row["step"] == "intent":
            undo = cast("Mapping[str, Json]", row["undo"])
            entries[name] = Entry(name, str(row["kind"]), undo)
        elif name in entries:
            entry = entries[name]
            done = entry.done or row["step"] == "done"
            healed = entry.healed or row["step"] == "healed"
            entries[name] = Entry(name, entry.kind, entry.undo, done, healed)
    return list(entries.values())
