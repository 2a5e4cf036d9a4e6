"""How a command says what went wrong."""

from __future__ import annotations

from chaoskit.cli.output import tell
from chaoskit.errors import ChaoskitError, ExitCode, ScenarioInvalid


def complain(error: ChaoskitError) -> ExitCode:
    """Print an error and its hint on stderr; return its exit code."""
    explain(error.message, error.hint, placed=isinstance(error, ScenarioInvalid))
    return error.exit_code


def explain(message: str, hint: str | None, *, placed: bool) -> None:
    """Print what went wrong, and a hint; `placed` is a message that begins with its place."""
    tell(message if placed else f"error: {message}")
    if hint:
        tell(f"hint: {hint}")
