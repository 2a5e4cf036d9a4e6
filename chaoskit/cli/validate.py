"""`chaoskit validate`: every problem of every file, without running anything."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from chaoskit.cli.output import say, tell
from chaoskit.cli.warnings import warn
from chaoskit.errors import ExitCode, Problem, ScenarioInvalid
from chaoskit.plan.plan import make_plan
from chaoskit.plan.refusals import refused_by_files
from chaoskit.scenario.discover import left_out
from chaoskit.scenario.loading import load_all
from chaoskit.text import count


def validate_scenarios(paths: Sequence[Path], compose: bool, strict: bool) -> ExitCode:
    """Print `ok` and the warnings of each scenario, or raise `ScenarioInvalid` with all problems;
    when `strict`, warnings are problems."""
    left = left_out(paths)
    if not strict:
        warn(left)
    loaded = load_all(paths, os.environ, stdin=True)
    if compose and shutil.which("docker") is None:
        tell("note: services and edges are not checked: `docker` is not installed")
        compose = False
    problems: list[Problem] = []
    warnings = [warning for scenario in loaded for warning in scenario.warnings()]
    if compose:
        for scenario in loaded:
            try:
                plan = asyncio.run(make_plan(scenario, run_project="chaoskit-validate"))
                warnings += plan.warnings
                problems += refused_by_files(plan)
            except ScenarioInvalid as error:
                problems += error.problems
    if strict:
        problems += [*left, *warnings]
    if problems:
        raise ScenarioInvalid(problems)
    warn(warnings)
    for scenario in loaded:
        faults = len(scenario.scenario.timeline.faults)
        checks = len(scenario.scenario.expect)
        say(f"{scenario.path}: ok ({count(faults, 'fault')}, {count(checks, 'check')})")
    return ExitCode.PASSED
