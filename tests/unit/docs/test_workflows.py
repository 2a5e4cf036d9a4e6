"""The workflows and the action: what they call is there, and no input becomes a command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaoskit.cli.reports import KINDS
from chaoskit.records import Verdict
from tests.unit.suite.test_verdict import ended

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


def example() -> dict[str, Any]:
    """Return the workflow of docs/ci.md that has shards and puts them together."""
    blocks = re.findall(r"```yaml\n(name: .*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
    (document,) = map(yaml.safe_load, blocks)
    assert isinstance(document, dict)
    return document


def test_the_example_puts_together_what_the_action_uploads() -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    jobs = example()["jobs"]
    given = jobs["chaos"]["steps"][-1]["with"]
    assert given.keys() <= inputs.keys()
    download, _, merge, _ = jobs["together"]["steps"]
    assert fnmatch(given["artifact"], download["with"]["pattern"])
    assert not fnmatch("together", download["with"]["pattern"])
    where = f"{download['with']['path']}/*/{inputs['reports-dir']['default']}/result.json"
    assert where in merge["run"]
    assert "=$REPORTS/result.json" in (ROOT / "action.yml").read_text()


def test_the_example_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard, scenario in enumerate(("one", "two")):
        part = tmp_path / f"parts/chaos-{shard}/chaos-reports/result.json"
        part.parent.mkdir(parents=True)
        document = ended(Verdict.PASS, scenario).model_dump(mode="json")
        document["run"]["id"] = scenario
        part.write_text(json.dumps(document))
    (tmp_path / "venv").symlink_to(Path(sys.executable).parents[1])
    summary = tmp_path / "step.md"
    summary.touch()  # as a runner makes it
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    script = example()["jobs"]["together"]["steps"][2]["run"]
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert "2 PASS, 0 FAIL" in summary.read_text()
    assert (tmp_path / "junit.xml").is_file()


def test_the_kinds_of_reports_are_told_and_completed_as_they_are() -> None:
    from chaoskit.cli import complete, main

    assert complete.reports("") == [f"{kind}=" for kind in sorted(KINDS)]
    assert [kind for kind in KINDS if kind not in main.REPORT] == []
    told = (ROOT / "docs/ci.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in told] == []
