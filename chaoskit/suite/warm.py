"""Which scenarios of a suite may go on with each other's stack, and in which order they are run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Literal, TypeAlias

from chaoskit.docker.client import Engine
from chaoskit.fields import Target
from chaoskit.judge.result import Leftover
from chaoskit.run.kept import Shelf
from chaoskit.scenario.loading import Loaded

Fresh: TypeAlias = Literal["always", "data", "never"]
Group: TypeAlias = str


def fresh(loaded: Loaded, *, warm: bool) -> Fresh:
    """Return what must be new for a scenario: what it says itself, else everything, or with `warm`
    its services and data."""
    return loaded.scenario.stack.fresh or ("data" if warm else "always")


def group_of(loaded: Loaded, *, warm: bool) -> Group | None:
    """Return what is the same for scenarios that may share a stack, None for one that wants its
    own. Whether two stacks are really the same, their plans tell."""
    scenario = loaded.scenario
    if fresh(loaded, warm=warm) == "always":
        return None
    block = scenario.stack.model_dump(mode="json", exclude={"fresh", "up_timeout", "compose"})
    edges = {str(edge) for fault in scenario.injections() for edge in fault.edges()}
    return json.dumps([[str(file) for file in loaded.compose_files], block, sorted(edges)])


def targets_of(scenarios: Sequence[Loaded], group: Group | None, *, warm: bool) -> list[Target]:
    """Return what probes and workloads of a group talk to: its stack lets all of it be reached."""
    if group is None:
        return []
    found = set[Target]()
    for loaded in scenarios:
        if group_of(loaded, warm=warm) == group:
            probes, workloads = loaded.scenario.probes, loaded.scenario.workloads
            found |= {target for probe in probes.values() for target in probe.targets()}
            found |= {target for one in workloads.values() for target in one.targets()}
    return sorted(found)


def in_order(scenarios: Sequence[Loaded], *, warm: bool) -> list[Loaded]:
    """Return the scenarios with those of a group one after another, else in their order."""
    first: dict[Group, int] = {}
    places = []
    for index, loaded in enumerate(scenarios):
        group = group_of(loaded, warm=warm)
        places.append(index if group is None else first.setdefault(group, index))
    return [scenarios[i] for i in sorted(range(len(scenarios)), key=lambda i: (places[i], i))]


class Waiting:
    """The scenarios of a suite that have not begun, for processes that each keep one stack."""

    def __init__(self, scenarios: Sequence[Loaded], *, warm: bool) -> None:
        self._left = list(range(len(scenarios)))
        self._groups = [group_of(one, warm=warm) for one in scenarios]
        self._running = set[int]()

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def left(self) -> Sequence[int]:
        """Their places in the suite."""
        return self._left

    def take(self, after: int | None) -> int:
        """Return the scenario for a process that ran the one `after` last: of the same group if
        there is one, else of a group that no other process has now."""
        others = {self._groups[one] for one in self._running} - {None}
        kept = None if after is None else self._groups[after]
        same = [one for one in self._left if kept is not None and self._groups[one] == kept]
        free = [one for one in self._left if self._groups[one] not in others]
        number = (same or free or self._left)[0]
        self._left.remove(number)
        self._running.add(number)
        return number

    def ended(self, number: int) -> None:
        """Note that one is over."""
        self._running.discard(number)

    def back(self, number: int) -> None:
        """Take back one that did not begin."""
        self._running.discard(number)
        self._left.insert(0, number)


def cleared(shelf: Shelf) -> tuple[Leftover, ...]:
    """Remove the stack that is on a shelf; return what any of them left behind.

    Raises `EnvironmentFailure` when the engine does not answer.
    """

    async def clear() -> None:
        async with Engine.connect() as engine:
            await shelf.clear(engine)

    if shelf.stack is not None:
        asyncio.run(clear())
    return shelf.left
