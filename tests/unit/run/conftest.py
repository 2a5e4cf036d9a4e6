"""What the parts of a run write down, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit.clock import Clock
from chaoskit.record.events import Recorded, RunUnproven
from chaoskit.record.folder import RunFolder
from chaoskit.record.writer import Recorder
from chaoskit.secrets import Redactor


class Heard(list[Recorded]):
    """The events of a run as a listener hears them."""

    def unproven(self) -> list[str]:
        return [one.event.text for one in self if isinstance(one.event, RunUnproven)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recorder(tmp_path: Path, heard: Heard) -> Iterator[Recorder]:
    folder = RunFolder.create(tmp_path, "x", datetime(2026, 1, 1, tzinfo=UTC), Redactor(), "t")
    made = Recorder(folder, Clock(), heard.append)
    yield made
    made.close()
    folder.lock.release(finished=True)  # type: ignore[union-attr]  # it was just made
