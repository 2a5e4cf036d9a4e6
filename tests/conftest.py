"""Makes the fakes of Docker and Toxiproxy importable: unit and contract tests share them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent / "fakes"))

if TYPE_CHECKING:
    from fake_world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty stack in memory; tests add services and proxies."""
    from fake_world import World

    made = World()
    yield made
    await made.close()
