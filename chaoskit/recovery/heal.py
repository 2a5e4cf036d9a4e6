"""Healing one fault for certain, or saying why not: in the run itself and in any other process."""

from __future__ import annotations

import asyncio

from chaoskit.errors import ChaoskitError, FaultFailed
from chaoskit.faults import Fault
from chaoskit.faults.contract import Undo
from chaoskit.stack.stack import Stack

TRIES = 3
_PAUSE = 0.5  # seconds between two tries


async def heal(kind: type[Fault], stack: Stack, undo: Undo) -> str:
    """Heal a fault from its undo data and read back; return the receipt in words.

    Tries a few times, for what needs a moment. Raises `FaultFailed` with what is still wrong.
    """
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(_PAUSE)
        try:
            await kind.heal(stack, undo)
            receipt = await kind.verify_healed(stack, undo)
        except ChaoskitError as error:
            problem = error.message
            continue
        if receipt.holds:
            return receipt.detail
        problem = receipt.detail
    raise FaultFailed(problem)
