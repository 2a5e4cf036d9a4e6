"""Whether a stack may be handed on: what its stores say, beside what its containers show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from chaoskit.record.events import Noted
from chaoskit.run import handover
from chaoskit.run.handover import Handover
from chaoskit.run.kept import Shelf
from chaoskit.run.store_settings import StoreSettings
from chaoskit.stack.snapshot import Snapshot

Read = Mapping[str, Mapping[str, str]]


class World:
    """A stack whose containers never change; its one Redis is set as it is told to be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: Read) -> None:
        self.said: list[Any] = []
        self._looks: Iterator[Read] = iter(looks)
        monkeypatch.setattr(handover, "snapshot", self._snapshot)
        monkeypatch.setattr(handover, "helpers_left", self._helpers_left)
        monkeypatch.setattr(handover, "store_settings", self._settings)

    def handover(self) -> Handover:
        plan: Any = SimpleNamespace(faults=[])
        stack: Any = SimpleNamespace(project="p")
        recorder: Any = SimpleNamespace(emit=self.said.append)
        return Handover(plan, stack, recorder, "image", Shelf())

    async def _snapshot(self, stack: object, *, rules: bool) -> Snapshot:
        return Snapshot({})

    async def _helpers_left(self, stack: object) -> list[str]:
        return []

    async def _settings(self, stack: object) -> StoreSettings:
        read = next(self._looks)
        return StoreSettings(read, {} if read else {"redis[1]": "it refuses every login"})


REMOVED = "its stack is removed, no other scenario goes on with it"
NOT_COMPARED = "how `redis[1]` is set is not compared when its stack is handed on"
SET: Read = {"redis[1]": {"maxmemory": "0"}}


@pytest.mark.parametrize(
    ("looks", "stays", "said"),
    [
        ((SET, SET), True, []),
        ((SET, {}, SET), True, []),  # it loads its data after a restart
        (
            (SET, {"redis[1]": {"maxmemory": "1"}}),
            False,
            [f"{REMOVED}: changed: maxmemory of redis[1]"],
        ),
        (
            ({}, SET),
            True,
            [f"{NOT_COMPARED}: it refuses every login"],
        ),
    ],
)
async def test_a_stack_stays_only_where_its_stores_are_set_as_before(
    monkeypatch: pytest.MonkeyPatch, looks: tuple[Read, ...], stays: bool, said: list[str]
) -> None:
    world = World(monkeypatch, *looks)
    run = world.handover()
    await run.look()
    await run.weigh()
    assert run.hands_over == stays
    assert world.said == [Noted(text) for text in said]
