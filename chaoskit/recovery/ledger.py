"""The ledger: what must be undone, written and synced to disk before it is done.

One JSON line per step: `intent` (with everything needed to undo it), `done`, `healed`. What has an
intent and no `healed` must be undone, newest first; what is `kept` stays because the user said so.
Every line is signed: in a ledger that this user's key opened, a line that it did not sign counts
for nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from chaoskit.clock import Clock
from chaoskit.errors import StoreFailed
from chaoskit.faults import REGISTRY
from chaoskit.faults.contract import Undo
from chaoskit.record.folder import NdjsonFile, RunFolder, numbered_rows
from chaoskit.records import Json
from chaoskit.recovery.signing import Signer, known_key, own_key
from chaoskit.secrets import Redactor
from chaoskit.text import shown

LEDGER = "ledger.ndjson"
VERSION = 2
_READS = (1, 2)  # the models of the undo data accept what version 1 wrote
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")  # as Compose wants it


class StackUndo(Undo):
    """The run's own copy of the stack."""

    project: str


@dataclass(frozen=True, slots=True)
class Opening:
    """The first line of a ledger: the run, its Compose project, and whether this user's key signed
    it; what version 1 wrote has no signature."""

    run: str
    project: str
    signed: bool
    maker: Path | None = None  # the folder of the run that made the stack, where that is another


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of the world: its id, its sort (`stack` or a fault kind) and its undo data."""

    id: str
    kind: str
    line: str  # of the ledger, where its undo data stands
    written: Json
    flaw: str = ""  # what is wrong with its line
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
        if self.flaw:
            raise StoreFailed(f"{self.line}: {self.flaw}")
        kind = REGISTRY.get(self.kind)
        if kind is None:
            raise StoreFailed(f"{self.line}: this chaoskit knows no fault `{self.kind}`")
        try:
            return kind.undo_model.model_validate(self.written)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            where = f"`{field}` of the undo data" if field else "the undo data"
            where = f"{self.line}: {where}"
            raise StoreFailed(
                f"{where} of fault `{self.id}` ({self.kind}) is no good: {first['msg']}"
            ) from None


class Ledger:
    """Appends to the ledger of one run."""

    def __init__(
        self, folder: RunFolder, clock: Clock, project: str | None, maker: Path | None = None
    ) -> None:
        """Open the ledger of a new run, or without `project` go on with one that is there.

        `maker` is the folder of the run that made the stack, where that is another run.

        Raises `StoreFailed`, also where this user can have no key.
        """
        self._signer = Signer(own_key(), folder.path)
        # Not masked as other files are: a service, a database, a kind can be called like a secret.
        self._redactor = Redactor()
        self._file = NdjsonFile(folder.path / LEDGER, self._redactor, durable=True)
        self._clean = folder.redactor.clean
        self._clock = clock
        if project is not None:
            opening: dict[str, Json] = {
                "step": "open",
                "version": VERSION,
                "run": folder.id,
                "project": project,
            }
            self._append(opening if maker is None else opening | {"maker": str(maker)})

    def _append(self, row: Mapping[str, Json]) -> None:
        # Cleaned first: what is signed must be what is written.
        texts = {name: self._redactor.clean_json(value) for name, value in row.items()}
        self._file.append(self._signer.sign({"t": round(self._clock.now(), 6), **texts}))

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


def opening_of(path: Path) -> Opening | None:
    """Return how a ledger begins, None when it was never opened.

    Raises `StoreFailed` when another version of chaoskit wrote it in another format, or when it
    does not begin as ledgers do.
    """
    for number, row in numbered_rows(path):
        if row.get("version") not in _READS:
            reads = " and ".join(map(str, _READS))
            raise StoreFailed(
                f"`{path}` has format {shown(row.get('version'))}, this chaoskit reads {reads}",
                hint="use the chaoskit that made this run",
            )
        run, project = row.get("run"), row.get("project")
        if not isinstance(project, str) or _PROJECT.fullmatch(project) is None:
            raise StoreFailed(f"`{path}` line {number}: `project` names no Compose project")
        if not isinstance(run, str):
            raise StoreFailed(f"`{path}` line {number}: `run` is no name of a run")
        maker, signed = row.get("maker"), _signer(path).signed(row)
        made_by = Path(maker) if signed and isinstance(maker, str) else None
        return Opening(run, project, signed, made_by)
    return None


def project_of(path: Path) -> str | None:
    """Return the Compose project of the run with this ledger, None when it was never opened.

    Raises `StoreFailed` for a ledger that cannot be read.
    """
    opening = opening_of(path)
    return None if opening is None else opening.project


def read_ledger(path: Path) -> list[Entry]:
    """Return every entry of a ledger file, oldest first; a torn last line is left out.

    A line that is wrong makes an entry that cannot be undone. Raises `StoreFailed` for a file that
    cannot be read.
    """
    entries: dict[str, Entry] = {}
    signer = _signer(path)
    ours: bool | None = None
    for number, row in numbered_rows(path):
        ours = signer.signed(row) if ours is None else ours
        step, name, line = row.get("step"), row.get("id"), f"`{path}` line {number}"
        foreign = ours and not signer.signed(row)
        if step in ("intent", "done", "healed", "kept") and not isinstance(name, str):
            entries[line] = Entry(line, "unknown", line, None, "`id` is no name of an entry")
        elif step == "intent":
            entry = _intent(str(name), row, line, foreign=foreign)
            # Somebody else's line takes no place of one of ours.
            entries[line if foreign else entry.id] = entry
        elif isinstance(name, str) and name in entries and not foreign:
            entry = entries[name]
            entries[name] = replace(
                entry,
                done=entry.done or step == "done",
                healed=entry.healed or step == "healed",
                kept=entry.kept or step == "kept",
            )
    return list(entries.values())


def _intent(name: str, row: Mapping[str, Json], line: str, *, foreign: bool) -> Entry:
    kind, flaw = row.get("kind"), ""
    if not isinstance(kind, str):
        flaw = "`kind` is no kind of fault"
    if foreign:
        flaw = f"`{name}` was not written by this user's chaoskit"
    return Entry(name, kind if isinstance(kind, str) else "unknown", line, row.get("undo"), flaw)


def _signer(path: Path) -> Signer:
    # Without a key of this user nothing is signed by it.
    return Signer(known_key() or secrets.token_bytes(32), path.parent)
