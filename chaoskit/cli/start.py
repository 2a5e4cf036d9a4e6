"""The console script: next to nothing, so that Ctrl-C while loading gives no traceback."""

from __future__ import annotations


def entry() -> None:
    """Load the command line and run it."""
    try:
        from chaoskit.cli.main import entry as run

        run()
    except KeyboardInterrupt:
        from chaoskit.errors import ExitCode

        raise SystemExit(ExitCode.INTERRUPTED) from None
