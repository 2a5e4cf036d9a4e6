"""The ledger: what must be undone, written and synced to disk before it is done.

One JSON line per step: `intent` (with everything needed to undo it), `done`, `healed`. What has an
intent and no `healed` must be undone, newest first; what is `kept` stays because the user said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed
from chaoskit.record.folder import RunFolder, read_ndjson
from chaoskit.records import Json

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
    kept: bool = False

    @property
    def open(self) -> bool:
        """Still to be undone, or kept on purpose."""
        return not self.healed


class Ledger:
    """Appends to the ledger of one run."""

    def __init__(self, folder: RunFolder, clock: Clock, project: str | None) -> None:
        """Open the ledger of a new run, or without `project` go on with one that is there."""
        self._file = folder.ndjson(LEDGER, durable=True)
        self._clock = clock
        if project is not None:
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

    def kept(self, id: str) -> None:
        """Note that this stays, for its user."""
        self._append({"step": "kept", "id": id})

    def close(self) -> None:
        self._file.close()


def project_of(path: Path) -> str | None:
    """Return the Compose project of the run with this ledger, None when it was never opened.

    Raises `StoreFailed` when another version of chaoskit wrote it in another format.
    """
    for row in read_ndjson(path):
        if row.get("version") != VERSION:
            raise StoreFailed(
                f"`{path}` has format {row.get('version')}, this chaoskit reads {VERSION}",
                hint="use the chaoskit that made this run",
            )
        return str(row["project"])
    return None


def read_ledger(path: Path) -> list[Entry]:
    """Return every entry of a ledger file, oldest first; a torn last line is left out."""
    entries: dict[str, Entry] = {}
    for row in read_ndjson(path):
        name = str(row.get("id", ""))
        if row["step"] == "intent":
            undo = cast("Mapping[str, Json]", row["undo"])
            entries[name] = Entry(name, str(row["kind"]), undo)
        elif name in entries:
            entry, step = entries[name], row["step"]
            entries[name] = replace(
                entry,
                done=entry.done or step == "done",
                healed=entry.healed or step == "healed",
                kept=entry.kept or step == "kept",
            )
    return list(entries.values())
