"""The nightly workflow, step by step in a clean copy of the repository, as a runner would do it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.stack.running import ROOT

SCENARIO = "scenarios/museum/ack-before-commit.yaml"
SOUND = "tests/stack/stacks/warm-up/scenario.yaml"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what is tracked, with this environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    clone = tmp_path / "clone"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "requirements.lock"):
        os.utime(clone / name, (0, 0))  # what was installed from them stays as it is
    return clone


def job(clone: Path, scenario: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "tools/run_job.py", ".github/workflows/chaos.yml", "rehearse"]
    argv += ["--matrix", "shard=1", "--input", f"scenarios={scenario}"]
    summary = {"GITHUB_STEP_SUMMARY": str(clone / "step.md")}
    return subprocess.run(
        argv, cwd=clone, env=os.environ | summary | environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_a_defect_makes_the_job_red_and_annotates_the_line_that_asks_for_the_check(
    clone: Path,
) -> None:
    done = job(clone, SCENARIO)
    assert done.returncode == 1, done.stdout
    assert "exit 1    Suite\nleft out  Upload\n" in done.stdout
    (annotation,) = re.findall(r"^::error (.*?)::", done.stdout, re.MULTILINE)
    line = re.fullmatch(rf"file={SCENARIO},line=(\d+),title=.*no_loss orders", annotation)
    assert line is not None, annotation
    text = (clone / SCENARIO).read_text().splitlines()[int(line[1]) - 1]
    assert text.strip() == "- { check: no_loss, workload: orders }"
    assert "## FAIL: museum-ack-before-commit" in (clone / "step.md").read_text()
    junit = ElementTree.parse(clone / "reports/junit.xml").getroot()
    (page,) = re.findall(
        r"\[\[ATTACHMENT\|(.*)\]\]", junit.findtext(".//testcase/system-out") or ""
    )
    assert (clone / page).is_file()
    assert (clone / ".chaoskit/runs/latest/past.json").is_file()


def test_without_one_the_job_is_green_and_leaves_its_reports(clone: Path) -> None:
    done = job(clone, SOUND, WARM_UP="0.2")
    assert done.returncode == 0, done.stdout
    assert "::error" not in done.stdout
    reports = {path.name for path in (clone / "reports").iterdir()}
    assert reports == {"junit.xml", "summary.md", "result.json", "metrics.txt"}
    assert "## PASS: warm-up" in (clone / "step.md").read_text()
