"""What real clients observe under every fault, and that every heal puts the world back.

One measurement serves both: it takes its time, so it is one test. The words are kept in
`docs/fault-matrix.json`, from which `docs/faults.md` is made; `make matrix` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract import matrix_document
from tests.contract.matrix_measure import measure

_WRITE = "CHAOSKIT_WRITE_MATRIX"


@pytest.mark.timeout(600)
async def test_every_fault_is_felt_as_documented_and_its_heal_restores_the_world(
    tmp_path: Path,
) -> None:
    measured = await measure(tmp_path)
    assert matrix_document.complaints(measured) == []
    found = matrix_document.document(measured)
    if os.environ.get(_WRITE):
        matrix_document.write(found)
    assert matrix_document.differences(matrix_document.read(), found) == []
