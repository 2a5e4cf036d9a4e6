"""What real clients observe under every fault, and that every heal puts the world back.

One measurement serves both: it takes its time, so it is one test. The words are kept in
`docs/fault-matrix.json`, from which `docs/faults.md` is made; `make matrix` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.matrix import document
from tests.matrix.measure import measure

_WRITE = "CHAOSKIT_WRITE_MATRIX"


@pytest.mark.timeout(600)
async def test_every_fault_is_felt_as_documented_and_its_heal_restores_the_world(
    tmp_path: Path,
) -> None:
    anew = bool(os.environ.get(_WRITE))
    fits = document.fits(None if anew else document.read())
    measured = await measure(tmp_path, fits)
    complaints = document.complaints(measured)
    assert not complaints, "\n".join(complaints)
    found = document.of(measured)
    if anew:
        document.write(found)
    differences = document.differences(document.read(), found)
    assert not differences, "\n".join(differences)
