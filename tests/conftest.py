"""The stack in memory that unit tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fakes.fake_world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty stack in memory; tests add services and proxies."""
    from tests.fakes.fake_world import World

    made = World()
    yield made
    await made.close()
