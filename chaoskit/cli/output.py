"""What commands print: all of it goes through here or through `progress.console`, cleaned of what a
terminal would act on, whoever wrote it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

from chaoskit.text import printable


def say(text: str, file: TextIO | None = None) -> None:
    """Print text on stdout, or on `file`."""
    patiently(lambda: print(printable(text), file=file or sys.stdout, flush=True))


def patiently(write: Callable[[], None]) -> None:
    """Write to stdout; a reader that went away, such as `head`, changes nothing that follows."""
    try:
        write()
    except BrokenPipeError:
        forget_stdout()


def forget_stdout() -> None:
    """Let stdout lead nowhere: what is still buffered must not fail at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """Print text on stderr."""
    say(text, sys.stderr)
