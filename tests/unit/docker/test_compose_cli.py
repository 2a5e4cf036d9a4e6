"""Commands on this machine: what they say, and that they end with who started them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chaoskit.docker.compose_cli import run
from chaoskit.errors import CommandFailed


async def test_a_command_s_last_words_are_its_own() -> None:
    with pytest.raises(CommandFailed) as caught:
        await run(["sh", "-c", "echo no such network >&2; exit 3"], within=10)
    assert (caught.value.status, caught.value.stderr) == (3, "no such network\n")


async def test_what_a_command_prints_is_returned() -> None:
    assert await run(["sh", "-c", "echo out; echo err >&2"], within=10) == "out\n"


def test_a_command_ends_when_who_started_it_is_killed(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    loop = f"while :; do date +%s%N > {beat}; sleep 0.05; done"
    code = (
        "import asyncio; from chaoskit.docker.compose_cli import run;"
        f"asyncio.run(run(['sh', '-c', {loop!r}], within=60))"
    )
    starter = subprocess.Popen([sys.executable, "-c", code])
    try:
        _until(lambda: beat.exists() and beat.read_text() != "")
    finally:
        starter.kill()
        starter.wait()

    def ended() -> bool:
        before = beat.read_text()
        time.sleep(0.3)
        return before == beat.read_text()

    _until(ended)


def _until(met: Callable[[], bool], within: float = 20.0) -> None:
    ends = time.monotonic() + within
    while not met():
        assert time.monotonic() < ends
        time.sleep(0.05)
