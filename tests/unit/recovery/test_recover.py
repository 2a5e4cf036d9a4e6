"""What a recovery says about what it could not undo."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from chaoskit.clock import Clock
from chaoskit.docker.client import Engine
from chaoskit.faults.contract import Undo
from chaoskit.record.folder import RunFolder
from chaoskit.recovery.ledger import Ledger
from chaoskit.recovery.recover import recover
from chaoskit.secrets import Redactor
from tests.fakes.fake_toxiproxy import Fuse
from tests.fakes.fake_world import PROJECT, FakeEngine


class AnsweringEngine(FakeEngine):
    """An engine that is there."""

    async def back(self, within: float) -> None:
        pass


async def test_the_command_for_what_is_left_can_be_pasted_whatever_the_folder_is_called(
    tmp_path: Path,
) -> None:
    folder = RunFolder.create(
        tmp_path / "Bob's runs; $HOME", "x", datetime(2026, 1, 1, tzinfo=UTC), Redactor(), "t"
    )
    ledger = Ledger(folder, Clock(), PROJECT)
    ledger.intent("odd", "fault_of_another_version", Undo())
    ledger.close()
    assert folder.lock is not None
    folder.lock.release(finished=False)
    engine = cast("Engine", AnsweringEngine(Fuse()))
    done = await recover(folder.path, engine, lambda _text: None, by="a test")
    (left,) = done.left
    assert shlex.split(left.command) == ["chaoskit", "recover", str(folder.path)]
