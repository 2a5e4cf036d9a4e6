"""Printing what makes a scenario prove little, for every command that reads one."""

from __future__ import annotations

import sys

from chaoskit.scenario.loading import Loaded


def warn(scenario: Loaded) -> None:
    """Print the warnings of a scenario to stderr."""
    for warning in scenario.warnings():
        print(warning.render(), file=sys.stderr)
