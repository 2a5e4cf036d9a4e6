"""The workflows and the action: what they call is there, and no input becomes a command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaoskit.cli.reports import KINDS

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FILES = [*WORKFLOWS, ROOT / "action.yml"]


def steps(path: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(path.read_text())
    jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_script_takes_in_an_expression(path: Path) -> None:
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_report_that_is_asked_for_exists(path: Path) -> None:
    text = path.read_text()
    asked = re.findall(r"--report \"?([\w-]+)=", text)
    assert set(asked) <= set(KINDS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_may_only_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("name", [".github/workflows/chaos.yml", "action.yml"])
def test_what_was_recorded_is_uploaded_however_the_run_ends(name: str) -> None:
    uploads = [s for s in steps(ROOT / name) if "upload-artifact" in s.get("uses", "")]
    assert [step for step in uploads if not step["if"].startswith("always()")] == []
    assert uploads[0]["with"]["include-hidden-files"] is True


def test_the_kinds_of_reports_are_told_and_completed_as_they_are() -> None:
    from chaoskit.cli import complete, main

    assert complete.reports("") == [f"{kind}=" for kind in sorted(KINDS)]
    assert [kind for kind in KINDS if kind not in main.REPORT] == []
    told = (ROOT / "docs/ci.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in told] == []
