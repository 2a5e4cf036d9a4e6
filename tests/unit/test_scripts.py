"""Scripts that run inside containers: whole, and what a shell there can read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chaoskit import scripts
from chaoskit.scripts import script, statements

FOLDER = Path(scripts.__file__).parent
NAMES = sorted(str(p.relative_to(FOLDER)) for p in FOLDER.glob("*/*") if p.suffix != ".pyc")
OF_SHELL = [name for name in NAMES if name.endswith(".sh")]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_includes_everything_that_it_needs(name: str) -> None:
    text = script(name)
    assert "\n. ./" not in text
    assert "-- include" not in text
    assert len(text) >= len((FOLDER / name).read_text())


@pytest.mark.parametrize("name", OF_SHELL)
def test_a_shell_can_read_it(name: str) -> None:
    subprocess.run(["sh", "-n", "-c", script(name)], check=True, timeout=10)


def test_statements_are_found_by_name() -> None:
    found = statements("postgres/statements.sql")
    assert found["reload"].strip() == "SELECT pg_reload_conf();"
    assert all(text.strip().endswith(";") for text in found.values())
