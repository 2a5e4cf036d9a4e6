"""How a command says what went wrong."""

from __future__ import annotations

from chaoskit.cli.output import tell
from chaoskit.errors import ChaoskitError, ExitCode, ScenarioInvalid


def complain(error: ChaoskitError) -> ExitCode:
    """Print an error and its hint on stderr; return its exit code."""
    prefix = "" if isinstance(error, ScenarioInvalid) else "error: "
    tell(f"{prefix}{error.message}")
    if error.hint:
        tell(f"hint: {error.hint}")
    return error.exit_code
