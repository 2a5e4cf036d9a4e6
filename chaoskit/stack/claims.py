"""Who may change what of a stack now: the faults that are in force at the same time share it.

Some things are held by several at once, and go back when the last one gives them up (a closed
listener); others by one fault alone, which looks for `others` first (a limit, which can go back to
one value only).
"""

from __future__ import annotations

Key = tuple[str, ...]  # ("listener", container, proxy), ("cpu", service, replica)


class Claims:
    """What is held, and by which faults."""

    def __init__(self) -> None:
        self._holders: dict[Key, set[str]] = {}

    def hold(self, key: Key, holder: str) -> None:
        self._holders.setdefault(key, set()).add(holder)

    def give_up(self, key: Key, holder: str) -> None:
        """Hold it no longer; not to have held it is fine."""
        self._holders.get(key, set()).discard(holder)

    def others(self, key: Key, holder: str = "") -> list[str]:
        """Return who holds it, without `holder`."""
        return sorted(self._holders.get(key, set()) - {holder})
