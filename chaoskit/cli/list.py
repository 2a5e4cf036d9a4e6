"""`chaoskit list`: the kinds there are, or the scenarios of a directory."""

from __future__ import annotations

import os
from pathlib import Path

from chaoskit.cli.output import say
from chaoskit.cli.warnings import warn
from chaoskit.errors import ExitCode, ScenarioInvalid, UsageError
from chaoskit.registry import summary
from chaoskit.scenario.discover import find, left_out
from chaoskit.scenario.document import KINDS
from chaoskit.scenario.loading import load
from chaoskit.text import count


def list_kinds(what: str, path: Path) -> ExitCode:
    """Print one line per kind or scenario."""
    if what == "scenarios":
        return _list_scenarios(path)
    registry = KINDS.get(what.removesuffix("s"))
    if registry is None:
        raise UsageError(
            f"there is no list of `{what}`",
            hint=f"one of {', '.join(f'{sort}s' for sort in KINDS)}, scenarios",
        )
    width = max(len(name) for name in registry.names())
    for kind in registry:
        say(f"{kind.kind:<{width}}  {summary(kind)}")
    return ExitCode.PASSED


def _list_scenarios(path: Path) -> ExitCode:
    warn(left_out([path]))
    files = find([path])
    width = max(len(str(file)) for file in files)
    for file in files:
        try:
            scenario = load(file, os.environ).scenario
        except ScenarioInvalid as error:
            say(f"{file!s:<{width}}  invalid: {count(len(error.problems), 'problem')}")
            continue
        tags = f" [{', '.join(scenario.tags)}]" if scenario.tags else ""
        say(f"{file!s:<{width}}  {scenario.description.strip() or scenario.name}{tags}")
    return ExitCode.PASSED
