"""Printing what makes a scenario prove little, for every command that reads one."""

from __future__ import annotations

from collections.abc import Iterable

from chaoskit.cli.output import tell
from chaoskit.errors import Problem


def warn(warnings: Iterable[Problem]) -> None:
    """Print warnings to stderr."""
    for warning in warnings:
        tell(warning.render())
