"""A unique id for every fault: its own, or its kind, numbered from the second on."""

from __future__ import annotations

from collections.abc import Sequence


def fault_ids(faults: Sequence[tuple[str | None, str]]) -> list[str]:
    """Return one id per (explicit id, kind); explicit ids stay as they are, even when doubled."""
    taken = {given for given, _ in faults if given is not None}
    ids: list[str] = []
    for given, kind in faults:
        if given is not None:
            ids.append(given)
            continue
        candidate, number = kind, 2
        while candidate in taken:
            candidate, number = f"{kind}-{number}", number + 1
        taken.add(candidate)
        ids.append(candidate)
    return ids
