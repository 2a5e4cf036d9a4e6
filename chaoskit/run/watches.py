"""What watches over a run from beside it: should it end by itself, the run proves nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable

from chaoskit.errors import ChaoskitError, StoreFailed
from chaoskit.record.events import Noted, RunUnproven
from chaoskit.record.writer import Recorder


async def watched(
    what: str,
    work: Awaitable[None],
    recorder: Recorder,
    says: type[RunUnproven | Noted] = RunUnproven,
) -> None:
    """Await work that goes on until it is cancelled; record why it did not, whatever it was.

    What nobody watched may have happened, so the run cannot pass then, unless `says` only notes it.
    """
    try:
        await work
        why = "it ended"
    except Exception as error:  # noqa: BLE001  # also a defect of ours must not pass unnoticed
        why = str(error) if isinstance(error, ChaoskitError) else f"{type(error).__name__}: {error}"
    with contextlib.suppress(StoreFailed):  # where the disk is full, everything else says so
        recorder.emit(says(f"{what} was not watched to the end: {why}"))
