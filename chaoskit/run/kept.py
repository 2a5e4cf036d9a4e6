"""A stack between two runs: up, proven clean, and owned by the run that made it.

The ledger of that run says that the stack must be removed, its lock says that somebody is alive who
will, and its guard does it when that one dies: until the stack is removed, they stay as they were
while the run went on. Runs that borrow the stack have ledgers, locks and guards of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chaoskit.docker.client import Engine
from chaoskit.fields import Target
from chaoskit.judge.result import Leftover
from chaoskit.plan.plan import Plan
from chaoskit.record.folder import RunFolder
from chaoskit.recovery.guard import Guard
from chaoskit.recovery.ledger import Ledger
from chaoskit.recovery.teardown import removed
from chaoskit.stack.snapshot import Snapshot

_WITHIN = 45.0  # seconds an engine that went away may take to come back


@dataclass(frozen=True, slots=True)
class KeptStack:
    """A stack that stays up; whoever holds this must borrow it or remove it."""

    project: str
    digest: str
    targets: frozenset[Target]
    snapshot: Snapshot
    owner: RunFolder
    ledger: Ledger
    guard: Guard

    @property
    def folder(self) -> Path:
        """The folder of the run that made it, as its labels have it."""
        return self.owner.path.resolve()

    def fits(self, plan: Plan, image: str) -> bool:
        """Return whether a run would make the very same stack, but for what reaches it from the
        host, which may be less."""
        return plan.digest(self.folder, image) == self.digest and set(plan.targets) <= self.targets

    def proven(self, snapshot: Snapshot) -> KeptStack:
        """Return it as it is after another run."""
        return replace(self, snapshot=snapshot)

    def released(self, left: Sequence[Leftover]) -> None:
        """Note that it was removed, but for what is left."""
        if not left:
            self.ledger.healed("stack")
        self.ledger.close()
        self.guard.dismiss()
        if self.owner.lock is not None:
            self.owner.lock.release(finished=not left)

    async def removed(self, engine: Engine) -> list[Leftover]:
        """Remove it; return what is left."""
        left = await removed(engine, self.project, _WITHIN)
        self.released(left)
        return left


@dataclass(slots=True)
class Shelf:
    """Where a run leaves its stack for the next one; `left` is what could not be removed."""

    stack: KeptStack | None = None
    left: tuple[Leftover, ...] = ()

    async def clear(self, engine: Engine) -> None:
        """Remove what is on it."""
        if self.stack is not None:
            kept, self.stack = self.stack, None
            self.left += tuple(await kept.removed(engine))
