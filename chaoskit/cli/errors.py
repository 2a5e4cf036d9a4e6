"""How a command says what went wrong."""

from __future__ import annotations

import sys

from chaoskit.errors import ChaoskitError, ExitCode, ScenarioInvalid


def complain(error: ChaoskitError) -> ExitCode:
    """Print an error and its hint on stderr; return its exit code."""
    prefix = "" if isinstance(error, ScenarioInvalid) else "error: "
    print(f"{prefix}{error.message}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return error.exit_code
