"""The ledger: what must be undone, written and synced to disk before it is done.

One JSON line per step: `intent` (with everything needed to undo it), `done`, `healed`. What has an
intent and no `healed` must be undone, newest first; what is `kept` stays because the user said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed
from chaoskit.faults import REGISTRY
from chaoskit.faults.contract import Undo
from chaoskit.record.folder import NdjsonFile, RunFolder, numbered_rows, read_ndjson
from chaoskit.records import Json
from chaoskit.secrets import Redactor

LEDGER = "ledger.ndjson"
VERSION = 2
_READS = (1, 2)  # the models of the undo data accept what version 1 wrote


class StackUndo(Undo):
    """The run's own copy of the stack."""

    project: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the world: its id, its sort (`stack` or a fault kind) and its undo data."""

    id: str
    kind: str
    line: str  # of the ledger, where its undo data stands
    written: Mapping[str, Json]
    done: bool = False
    healed: bool = False
    kept: bool = False

    @property
    def open(self) -> bool:
        """Still to be undone, or kept on purpose."""
        return not self.healed

    @property
    def undo(self) -> Undo:
        """Its undo data. Raises `StoreFailed` where that is not what its kind writes: here and not
        when the ledger is read, so that one bad entry keeps no other from being undone."""
        kind = REGISTRY.get(self.kind)
        if kind is None:
            raise StoreFailed(f"{self.line}: this chaoskit knows no fault `{self.kind}`")
        try:
            return kind.undo_model.model_validate(self.written)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise StoreFailed(
                f"{self.line}: `{field}` of the undo data of fault `{self.id}` ({self.kind}) is no"
                f" good: {first['msg']}"
            ) from None


class Ledger:
    """Appends to the ledger of one run."""

    def __init__(self, folder: RunFolder, clock: Clock, project: str | None) -> None:
        """Open the ledger of a new run, or without `project` go on with one that is there."""
        # Not masked as other files are: a service, a database, a kind can be called like a secret.
        self._file = NdjsonFile(folder.path / LEDGER, Redactor(), durable=True)
        self._clean = folder.redactor.clean
        self._clock = clock
        if project is not None:
            self._append({"step": "open", "version": VERSION, "run": folder.id, "project": project})

    def _append(self, row: Mapping[str, Json]) -> None:
        self._file.append({"t": round(self._clock.now(), 6), **row})

    def intent(self, id: str, kind: str, undo: Undo) -> None:
        """Promise to undo: must return before the change is made."""
        written = undo.masked(self._clean).model_dump(mode="json")
        self._append({"step": "intent", "id": id, "kind": kind, "undo": written})

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
        if row.get("version") not in _READS:
            reads = " and ".join(map(str, _READS))
            raise StoreFailed(
                f"`{path}` has format {row.get('version')}, this chaoskit reads {reads}",
                hint="use the chaoskit that made this run",
            )
        return str(row["project"])
    return None


def read_ledger(path: Path) -> list[Entry]:
    """Return every entry of a ledger file, oldest first; a torn last line is left out."""
    entries: dict[str, Entry] = {}
    for number, row in numbered_rows(path):
        name = str(row.get("id", ""))
        if row["step"] == "intent":
            written = cast("Mapping[str, Json]", row["undo"])
            entries[name] = Entry(name, str(row["kind"]), f"`{path}` line {number}", written)
        elif name in entries:
            entry, step = entries[name], row["step"]
            entries[name] = replace(
                entry,
                done=entry.done or step == "done",
                healed=entry.healed or step == "healed",
                kept=entry.kept or step == "kept",
            )
    return list(entries.values())
