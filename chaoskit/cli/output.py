"""What commands print: all of it goes through here or through `progress.console`, cleaned of what a
terminal would act on, whoever wrote it."""

from __future__ import annotations

import sys
from typing import TextIO

from chaoskit.text import printable


def say(text: str, file: TextIO | None = None) -> None:
    """Print text on stdout, or on `file`."""
    print(printable(text), file=file or sys.stdout, flush=True)


def tell(text: str) -> None:
    """Print text on stderr."""
    say(text, sys.stderr)
