"""The measured matrix in the docs is whole; whether it is true, a contract test measures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from chaoskit.faults import REGISTRY
from tests.matrix import document
from tests.matrix.measure import Measured, Seen
from tests.matrix.protocols import PORTS, STORES
from tests.matrix.rows import CLIENT, DIRECT, ROWS, SHAMS, Row

STORED = document.read()


def texts(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield from texts(value, f"{path}/{key}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from texts(value, f"{path}/{number}")
    else:
        yield path, part


def test_every_registered_kind_has_a_row_and_every_row_is_stored() -> None:
    assert {row.kind for row in ROWS} == {kind.kind for kind in REGISTRY}
    assert [entry["fault"] for entry in STORED["rows"]] == [row.name for row in ROWS]
    assert set(SHAMS) <= {row.name for row in ROWS}


def test_no_cell_is_empty() -> None:
    date.fromisoformat(STORED["measured"])
    for path, text in texts(STORED):
        assert isinstance(text, str)
        assert text.strip() or path.endswith("/setting"), path


@pytest.mark.parametrize("entry", STORED["rows"], ids=lambda entry: entry["fault"])
def test_every_row_has_every_upstream_and_connection_and_differs_from_no_fault(
    entry: dict[str, Any],
) -> None:
    control = STORED["control"]
    if "stores" in entry:
        for store, cells in entry["stores"].items():
            assert cells.keys() == {"new", "kept", "idle", "write", "read"}
            assert cells != control["stores"][store]
        return
    besides = {probe: control["besides"][probe] for probe in entry["besides"]}
    shown = entry["container"] != control["container"] or (
        entry["besides"] != besides and set(besides) != {"asked"}
    )
    (meant,) = (row.upstreams for row in ROWS if row.name == entry["fault"])
    for path, cells in entry["paths"].items():
        assert cells.keys() == set(PORTS)
        for upstream, words in cells.items():
            assert words.keys() == set(document.CONNECTIONS)
            assert shown or upstream not in meant or words != control["paths"][path][upstream], (
                f"{path} {upstream}"
            )


def nobody_felt_it() -> Seen:
    usual = {"new": "answers", "kept": "answers, lives on", "idle": "open, lives on"}
    stored = {"write": "done", "read": "the value"}
    cells = {up: usual | (stored if up in STORES else {}) for up in PORTS}
    both = {CLIENT: cells, DIRECT: cells}
    return Seen(both, ["the same process"], {probe: ["usual"] for probe in probes()})


def probes() -> set[str]:
    return {probe for row in ROWS for probe in row.probes}


def under(row: Row, control: Seen) -> Seen:
    return Seen(control.cells, control.became, {probe: ["usual"] for probe in row.probes})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_that_nobody_felt_is_told_for_every_upstream(row: Row) -> None:
    control = nobody_felt_it()
    told = document.unfelt(row, under(row, control), control)
    clients = 1 if row.proxied else 2
    assert len(told) == clients * len(row.upstreams)
    assert not document.not_spared(row, under(row, control), control)


def test_a_measurement_without_any_fault_is_full_of_complaints_and_differences() -> None:
    control = nobody_felt_it()
    rows = {row.name: under(row, control) for row in ROWS}
    measured = Measured(control, rows, {name: rows[name] for name in SHAMS})
    assert len(document.complaints(measured)) >= len(ROWS)
    changed = document.differences(STORED, document.of(measured))
    for row in ROWS:
        assert any(cell.startswith(f"{row.name} ") for cell in changed), row.name


def test_the_same_measurement_makes_no_difference_and_one_other_word_does() -> None:
    assert document.differences(STORED, STORED) == []
    other = {**STORED, "rows": [{**STORED["rows"][0], "container": "down"}, *STORED["rows"][1:]]}
    assert len(document.differences(STORED, other)) == 1
