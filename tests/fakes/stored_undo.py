"""Undo data as another process has it, from the ledger."""

from __future__ import annotations

import json
from typing import TypeVar

from chaoskit.faults.contract import Undo

U = TypeVar("U", bound=Undo)


def stored(undo: U) -> U:
    """Return undo data written down and read again."""
    return type(undo).model_validate(json.loads(json.dumps(undo.model_dump(mode="json"))))
