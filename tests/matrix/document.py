"""The measured matrix as `docs/fault-matrix.json`, and what must hold of any measurement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.matrix.measure import NOTHING, Cells, Fits, Measured, Seen
from tests.matrix.protocols import PORTS
from tests.matrix.rows import CLIENT, DIRECT, ROWS, Row

STORED = Path(__file__).resolve().parents[2] / "docs" / "fault-matrix.json"
CONNECTIONS = ("new", "kept", "idle")
_PATHS = {CLIENT: "proxied", DIRECT: "direct"}

Document = dict[str, Any]


def of(measured: Measured) -> Document:
    """Return the document; every word in it was observed."""
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "versions": measured.versions,
        "control": _control(measured.control),
        "rows": [_entry(row, measured.rows[row.name]) for row in ROWS],
    }


def _control(seen: Seen) -> Document:
    return {
        "paths": _paths(seen.cells, CLIENT, DIRECT),
        "stores": _stores(seen.cells, "redis", "postgres"),
        "container": _one(seen.became),
        "besides": {probe: _one(said) for probe, said in seen.probed.items()},
    }


def _entry(row: Row, seen: Seen) -> Document:
    entry: Document = {"fault": row.name, "kind": row.kind, "setting": row.setting}
    if row.stores:
        return entry | {"stores": _stores(seen.cells, *row.stores)}
    clients = (CLIENT,) if row.proxied else (CLIENT, DIRECT)
    besides = {probe: _one(said) for probe, said in seen.probed.items()}
    return entry | {
        "paths": _paths(seen.cells, *clients),
        "container": _one(seen.became),
        "besides": besides,
    }


def _paths(cells: Mapping[str, Cells], *clients: str) -> Document:
    return {
        _PATHS[client]: {
            upstream: {name: cells[client][upstream][name] for name in CONNECTIONS}
            for upstream in PORTS
        }
        for client in clients
    }


def _stores(cells: Mapping[str, Cells], *stores: str) -> Document:
    return {store: dict(cells[CLIENT][store]) for store in stores}


def _one(said: list[str]) -> str:
    return " or ".join(said)


def differences(stored: Document, now: Document) -> list[str]:
    """Say in which cells a measurement differs from the stored one."""
    before, after = dict(_cells(stored)), dict(_cells(now))
    return [
        f"{cell}: {before.get(cell, 'nothing')} in the docs, {after.get(cell, 'nothing')} measured"
        for cell in [*before, *(cell for cell in after if cell not in before)]
        if before.get(cell) != after.get(cell)
    ]


def _cells(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if path or key not in ("measured", "versions"):
                yield from _cells(value, f"{path} {key}".lstrip())
    elif isinstance(part, list):
        for row in part:
            yield from _cells(row, str(row["fault"]))
    else:
        yield path, str(part)


def unfelt(row: Row, seen: Seen, control: Seen) -> list[str]:
    """Return each upstream where this row is the same as without a fault, by client."""
    if seen.became != control.became:
        return []
    everywhere = {probe: said for probe, said in seen.probed.items() if probe != "asked"}
    if any(said != control.probed[probe] for probe, said in everywhere.items()):
        return []
    clients = (CLIENT,) if row.proxied else (CLIENT, DIRECT)
    return [
        f"{row.name}: {client} -> {upstream} is as without a fault"
        for client in clients
        for upstream in row.upstreams
        if _same(seen.cells[client][upstream], control.cells[client][upstream])
    ]


def _same(seen: Mapping[str, str], control: Mapping[str, str]) -> bool:
    return all(control[name] == word for name, word in seen.items())


def not_spared(row: Row, seen: Seen, control: Seen) -> list[str]:
    """Return what felt a fault that was not meant: another client, another upstream."""
    found = []
    for client in (CLIENT, DIRECT):
        for upstream in PORTS:
            meant = (client == CLIENT or not row.proxied) and upstream in row.upstreams
            mine, usual = seen.cells[client][upstream], control.cells[client][upstream]
            if not meant and not _same(mine, usual):
                found.append(f"{row.name}: {client} -> {upstream} was not spared: {mine}")
    if row.stores and seen.cells[CLIENT][row.stores[0]] != seen.cells[DIRECT][row.stores[0]]:
        found.append(f"{row.name}: through a proxy and without it differ: {seen.cells}")
    return found


def complaints(measured: Measured) -> list[str]:
    """Return everything that is wrong with a measurement by itself."""
    found = list(measured.problems)
    for row in ROWS:
        found += _doubts(row, measured.rows[row.name], measured.control)
        if row.name in measured.shams:
            sham = measured.shams[row.name]
            if not _nobody_felt(row, sham, measured.control):
                found.append(f"{row.name} with an inject that does nothing was felt: {sham}")
    return found


def _doubts(row: Row, seen: Seen, control: Seen) -> list[str]:
    said = [seen.became, *seen.probed.values()]
    return [
        *unfelt(row, seen, control),
        *not_spared(row, seen, control),
        *(f"{row.name}: upstreams disagree: {one}" for one in said if len(one) != 1),
    ]


def _nobody_felt(row: Row, seen: Seen, control: Seen) -> bool:
    clients = 1 if row.proxied else 2
    return len(unfelt(row, seen, control)) == clients * len(row.upstreams)


def fits(stored: Document | None) -> Fits:
    """Return what says whether a row is as it should be, and as a stored document has it."""
    entries = {entry["fault"]: entry for entry in (stored or {"rows": ()})["rows"]}

    def so(row: Row, seen: Seen, control: Seen, sham: bool) -> bool:
        if sham:
            return _nobody_felt(row, seen, control)
        if row is NOTHING:
            return stored is None or _control(seen) == stored["control"]
        if _doubts(row, seen, control):
            return False
        return stored is None or _entry(row, seen) == entries[row.name]

    return so


def read() -> Document:
    stored: Document = json.loads(STORED.read_text(encoding="utf-8"))
    return stored


def write(found: Document) -> None:
    STORED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
