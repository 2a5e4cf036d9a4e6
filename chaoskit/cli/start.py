"""The console script: as little as can be, so that Ctrl-C while loading is no traceback."""

from __future__ import annotations

import sys


def entry() -> None:
    """Load the command line and run it."""
    try:
        from chaoskit.cli.main import entry as run

        run()
    except KeyboardInterrupt:
        # What was being made just then, such as a subprocess of a loop that is closed, complains
        # when it is collected.
        sys.unraisablehook = lambda _what: None
        raise SystemExit(130) from None
