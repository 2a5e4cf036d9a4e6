"""Going on with the stack of the run before, and leaving one for the run after.

A run leaves its stack only where it is proven to be as it was before the faults; whatever is
different, or cannot be looked at, has it removed, and the next run makes a new one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from chaoskit.clock import until
from chaoskit.docker.labels import ROLE_LABEL
from chaoskit.errors import ChaoskitError
from chaoskit.judge.result import Leftover
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Noted
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Recorder
from chaoskit.recovery.guard import Guard
from chaoskit.recovery.ledger import Ledger
from chaoskit.run.kept import KeptStack, Shelf
from chaoskit.run.logs import LogFollower
from chaoskit.run.store_settings import StoreSettings, store_settings
from chaoskit.stack.snapshot import STATE, Snapshot, helpers_left, snapshot
from chaoskit.stack.stack import Stack
from chaoskit.text import listed

_SETTLING, _POLL = 5.0, 0.2  # seconds
_MOST = 4  # differences that are named


class Handover:
    """What one run takes from the shelf and puts there; without a shelf, nothing."""

    def __init__(
        self, plan: Plan, stack: Stack, recorder: Recorder, image: str, shelf: Shelf | None
    ) -> None:
        self._plan = plan
        self._stack = stack
        self._recorder = recorder
        self._image = image
        self._shelf = shelf
        kept = None if shelf is None else shelf.stack
        self.borrowed = kept if kept is not None and kept.project == stack.project else None
        self._before: Snapshot | None = None
        self._after: Snapshot | None = None
        self._set = StoreSettings({}, {})

    @property
    def hands_over(self) -> bool:
        """Whether the stack was proven clean, and stays up for the next run."""
        return self._after is not None

    @property
    def _rules(self) -> bool:
        return any("netfilter" in fault.needed() for fault in self._plan.faults)

    async def taken(self, *, new_data: bool) -> bool:
        """Take the stack from the shelf, if this run borrows one: from now on it removes it, or
        puts it back. Return whether it is up as it is; for `new_data` its services are removed."""
        if self.borrowed is None or self._shelf is None:
            return False
        self._shelf.stack = None
        text = f"it went on with the stack of run `{self.borrowed.folder.name}`"
        self._recorder.emit(Noted(f"{text}, with new services" if new_data else text))
        await self._stack.attach()
        if new_data:
            await self._empty()
        return not new_data

    async def _empty(self) -> None:
        """Remove the services with their data; proxies and networks stay."""
        containers = await self._stack.containers.of(self._stack.project)
        ids = [c.id for c in containers if c.labels.get(ROLE_LABEL) is None]
        await self._stack.engine.cleanup.services(self._stack.project, ids)

    async def follow(self, logs: LogFollower) -> None:
        """Follow the logs of services that run already, from now on."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        for container in await self._stack.containers.of(self._stack.project):
            if container.state.service in self._plan.project.services:
                logs.adopt(container, now)

    async def look(self) -> None:
        """Look at the stack before any fault: when it is ready, and probes have found it good."""
        if self._shelf is None:
            return
        with contextlib.suppress(ChaoskitError):  # then it does not stay
            self._set = await store_settings(self._stack)
            self._before = await snapshot(self._stack, rules=self._rules)
        for name, why in sorted(self._set.unread.items()):
            text = f"how `{name}` is set is not compared when its stack is handed on: {why}"
            self._recorder.emit(Noted(text))

    async def weigh(self) -> None:
        """Look again when everything is healed; say why the stack cannot stay, if so."""
        if self._before is None:
            return
        try:
            why = await self._flaw(self._before)
        except ChaoskitError as error:
            why = f"it could not be looked at: {error.message}"
        if why is not None:
            text = f"its stack is removed, no other scenario goes on with it: {why}"
            self._recorder.emit(Noted(text))

    async def _flaw(self, before: Snapshot) -> str | None:
        """Return why the stack may not be as it was, None where it is."""
        free = [fault.name for fault in self._plan.faults if fault.fault == "exec"]
        if free:
            return f"nobody knows all that the commands of {listed(free)} changed"
        if left := await helpers_left(self._stack):
            return f"{listed(left)} of a fault is still there"

        async def look() -> Snapshot:
            return await snapshot(self._stack, rules=self._rules)

        def settled(seen: Snapshot) -> bool:
            changed = before.differences(seen)
            return not all(name.startswith(STATE) for name in changed) or not changed

        # A health check may take a while to find what was healed well again.
        after = await until(look, met=settled, within=_SETTLING, every=_POLL)
        changed = before.differences(after) or await self._settings_changed()
        if changed:
            more = f", and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
            return f"changed: {', '.join(changed[:_MOST])}{more}"
        self._after = after
        return None

    async def _settings_changed(self) -> list[str]:
        async def look() -> StoreSettings:
            return await store_settings(self._stack)

        # A store that was just started again may take a while to answer.
        now = await until(
            look, met=lambda seen: not self._set.lost(seen), within=_SETTLING, every=_POLL
        )
        return self._set.differences(now)

    def put(self, folder: RunFolder, ledger: Ledger, guard: Guard) -> bool:
        """Put the stack on the shelf; return whether the ledger and the guard of this run stay with
        it."""
        assert self._shelf is not None
        assert self._after is not None
        if self.borrowed is not None:
            self._shelf.stack = self.borrowed.proven(self._after)
            ledger.healed("stack")
            return False
        digest = self._plan.digest(folder.path.resolve(), self._image)
        targets = frozenset(self._plan.targets)
        self._shelf.stack = KeptStack(
            self._stack.project, digest, targets, self._after, folder, ledger, guard
        )
        return True

    def removed(self, left: Sequence[Leftover]) -> None:
        """Note that the stack was removed, but for what is left."""
        if self.borrowed is not None:
            self.borrowed.released(left)
