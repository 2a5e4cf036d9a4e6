"""Ending a run: what the run itself and whoever recovers it have in common."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaoskit.docker.call import EngineGone
from chaoskit.docker.client import Engine
from chaoskit.errors import ChaoskitError, StoreFailed
from chaoskit.judge.result import Leftover, Result
from chaoskit.record.events import FaultGone
from chaoskit.record.writer import Recorder
from chaoskit.records import Evidence
from chaoskit.recovery.ledger import Ledger
from chaoskit.report import junit, summary
from chaoskit.series.past import remember

_TRIES = 5
_PAUSE = 0.5  # seconds between two tries
_LOOKS = 3  # for what the engine makes late, a pause apart


def recover_command(folder: Path) -> str:
    """Return the command that undoes what is left of the run in a folder, quoted for a shell."""
    return shlex.join(["chaoskit", "recover", str(folder)])


def down_command(project: str) -> str:
    """Return the command that removes a stack by hand."""
    return f"docker compose -p {project} down --volumes --timeout 0"


async def removed(
    engine: Engine, project: str, within: float, *, cut_off: bool = False
) -> list[Leftover]:
    """Remove a run's copy of the stack; return what is left after several tries.

    An engine that does not answer may come back within `within` seconds. Where whoever made the
    stack was `cut_off`, the engine may make what it had been asked for only now: it is looked for
    again.
    """
    left = await _removed(engine, project, within)
    for _ in range(_LOOKS if cut_off else 0):
        if left:
            break
        await asyncio.sleep(_PAUSE)
        left = await _removed(engine, project, within)
    return left


async def _removed(engine: Engine, project: str, within: float) -> list[Leftover]:
    left: Sequence[str] = ()
    ends = time.monotonic() + within
    tries = 0
    while True:
        try:
            left = await engine.cleanup.project(project)
        except ChaoskitError as error:
            left = [f"the stack `{project}`: {error.message}"]
            away = isinstance(error, EngineGone)
        else:
            away = False
        if not left:
            return []
        tries += not away
        if tries >= _TRIES or (away and time.monotonic() > ends):
            return [Leftover(what=what, command=down_command(project)) for what in left]
        await asyncio.sleep(_PAUSE)


def gone_with_the_stack(fault: str, ledger: Ledger, recorder: Recorder) -> None:
    """Note that nothing is left of a fault that could not be healed: all it had changed was the
    stack. Raises `StoreFailed`."""
    ledger.healed(fault)
    recorder.emit(FaultGone(fault))


def write_reports(
    folder: Path, result: Result, warn: Callable[[str], None], observed: Evidence | None = None
) -> None:
    """Write the reports that every run folder has, and let the next runs know of this one.

    `observed` has the samples and the history of the run where they have been read already.

    Raises `StoreFailed` for one that cannot be written. What only the index lacks is a warning, and
    so is a missing page: it is a convenience beside them.
    """
    forgotten = remember(folder)
    if forgotten is not None:
        warn(f"warning: {forgotten}")
    for name, text in (
        ("junit.xml", junit.render([result])),
        ("summary.md", summary.render([result])),
    ):
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreFailed(f"cannot write `{folder / name}`: {error.strerror}") from error
    from chaoskit.report.html.page import write_page

    missing = write_page(folder, observed)
    if missing is not None:
        warn(f"warning: {missing}")
