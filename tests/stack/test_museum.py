"""The museum: every bug is found by the check that its scenario is about, and only by that one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chaoskit.records import Verdict
from tests.stack.running import SCENARIOS, Chaoskit, Run

EXHIBITS = sorted((SCENARIOS / "museum").glob("*.yaml"))


TRIES = 3


def decided(chaoskit: Chaoskit, file: Path, fixed: str) -> Run:
    """Run a scenario until it has a verdict: on a busy machine a fault may stay unproven, and then
    it says so. What it then says must be right at once."""
    for _ in range(TRIES):
        run = chaoskit.run(file, env={"FIXED": fixed})
        if run.code != 3 and all(fault.proven for fault in run.result.faults):
            break
    return run


@pytest.mark.parametrize("file", EXHIBITS, ids=lambda file: file.stem)
def test_a_bug_fails_the_check_it_is_about_and_says_why(chaoskit: Chaoskit, file: Path) -> None:
    run = decided(chaoskit, file, "")
    assert run.code == 1, run.output
    result = run.result
    intended, *others = yaml.safe_load(file.read_text())["expect"]
    found, *rest = result.checks
    assert (found.check, found.verdict) == (intended["check"], Verdict.FAIL)
    assert len(rest) == len(others)
    assert all(one.verdict is Verdict.PASS for one in rest)
    assert all(fault.proven for fault in result.faults)
    assert 1 <= len(found.witness) <= 6
    assert all(len(line.split()) > 3 for line in found.witness)
    reason = found.reason or ""
    assert len(reason.split()) > 8, "a reason is a sentence"
    assert f"`{found.subject}`" in reason
    assert result.reason == reason
    assert " ".join(reason.split()[:8]) in " ".join(run.stdout.split())


@pytest.mark.parametrize("file", EXHIBITS, ids=lambda file: file.stem)
def test_a_repaired_twin_passes_the_same_scenario(chaoskit: Chaoskit, file: Path) -> None:
    run = decided(chaoskit, file, "1")
    assert run.code == 0, run.output
    result = run.result
    assert all(fault.proven for fault in result.faults)
    assert all(check.verdict is Verdict.PASS for check in result.checks)
