"""Stack tests run the real command on real containers. Without an engine they fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.running import Chaoskit, docker


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    """A missing engine or image is a failure that names the way out, never a skip."""
    images = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    for image in ("chaoskit/lab:1", "chaoskit/participants:1", "chaoskit/museum:1"):
        assert image in images, f"the image {image} is missing: run `make setup`"


@pytest.fixture
def chaoskit(tmp_path: Path) -> Iterator[Chaoskit]:
    """The command in a directory of its own; after the test nothing of its runs may be left."""
    command = Chaoskit(tmp_path)
    yield command
    command.end()
