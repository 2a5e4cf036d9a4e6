"""What GitHub shows of a run in a job of its own: annotations, a summary, folded logs.

The runner acts on any line that looks like a command of its own, whoever printed it. Container logs
and messages are others' text: while they are printed, commands are stopped by a word that nobody
can guess.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from chaoskit.cli.output import tell
from chaoskit.files import opened
from chaoskit.judge.stored import StoredRun
from chaoskit.report import annotation, summary
from chaoskit.text import one_line

LARGEST_SUMMARY = 900_000  # bytes that a step's summary may have; GitHub drops one of over 1 MiB


def is_here(environ: Mapping[str, str]) -> bool:
    """Return whether this is a step of a GitHub job."""
    return environ.get("GITHUB_ACTIONS") == "true"


def on_one_stream() -> None:
    """Let stderr lead where stdout does: a runner reads two streams in no certain order, and what
    stops commands must come before what it stops."""
    if is_here(os.environ):
        sys.stdout.flush()
        os.dup2(sys.stdout.fileno(), sys.stderr.fileno())


@contextlib.contextmanager
def quoted(title: str | None = None) -> Iterator[None]:
    """Print what others wrote: nothing of it is a command, and with a title it is folded."""
    if not is_here(os.environ):
        yield
        return
    word = secrets.token_hex(16)
    if title is not None:
        tell(f"::group::{one_line(title)}")
    tell(f"::stop-commands::{word}")
    try:
        yield
    finally:
        tell(f"::{word}::")
        if title is not None:
            tell("::endgroup::")


def say_in_job(runs: Sequence[StoredRun]) -> None:
    """Annotate the lines of what did not pass, and append to the summary of this step."""
    if not is_here(os.environ):
        return
    for one in annotation.worst(runs):
        tell(one.workflow_command())
    where = os.environ.get("GITHUB_STEP_SUMMARY")
    if not where or not runs:
        return
    try:
        _append(Path(where), summary.render([run.result for run in runs]))
    except OSError as error:  # a page less, and no reason to end differently
        tell(f"warning: cannot write the job's summary `{where}`: {error.strerror}")


def _append(path: Path, text: str) -> None:
    there = 0
    with contextlib.suppress(FileNotFoundError), opened(path) as file:
        there = file.seek(0, os.SEEK_END)
    room = LARGEST_SUMMARY - there
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(bounded(text, room))


def bounded(text: str, room: int) -> str:
    """Return the text in at most `room` bytes; what is cut ends with whole lines and says so."""
    data = text.encode(errors="backslashreplace")
    if len(data) <= room:
        return text
    end = b"\n\n(the rest is too long for this page: it is in the run folders)\n"
    kept = data[: max(0, room - len(end))].rpartition(b"\n")[0]
    return (kept + end).decode() if len(end) <= room else ""
