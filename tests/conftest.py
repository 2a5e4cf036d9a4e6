"""The stack in memory that unit tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fakes.fake_world import World


@pytest.fixture(scope="session", autouse=True)
def _key_of_the_tests() -> Iterator[None]:
    """Let tests, and the commands that they run, sign with a key that is not the user's own."""
    with tempfile.TemporaryDirectory() as state:
        before = os.environ.get("XDG_STATE_HOME")
        os.environ["XDG_STATE_HOME"] = state
        yield
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session", autouse=True)
def _no_job_of_github() -> None:
    """Let nothing here annotate the job in which the tests themselves run."""
    os.environ.pop("GITHUB_ACTIONS", None)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An empty stack in memory; tests add services and proxies."""
    from tests.fakes.fake_world import World

    made = World()
    yield made
    await made.close()
