"""CLI tests run the installed command in a directory of its own and compare what it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / ".venv/bin/chaoskit"

COMPOSE = """\
name: shop
services:
  chat:
    image: chaoskit/lab:1
    environment: { REDIS_URL: "redis://redis:6379/0" }
    expose: ["8000"]
  redis:
    image: redis:8
"""

SCENARIO = """\
name: shop
description: Redis is away for a while.
tags: [redis]
stack: { compose: compose.yaml }
probes:
  chat: { probe: http, url: http://chat:8000/healthz, every: 100ms }
timeline:
  baseline: 1s
  faults:
    - { at: 0s, for: 2s, fault: blackhole, edge: chat -> redis }
  settle: 1s
expect:
  - { check: availability, probe: chat, at_least: 99% }
"""


@dataclass(frozen=True)
class Output:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., Output]:
    """Run `chaoskit` with a scenario and its Compose file around it."""
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "scenario.yaml").write_text(SCENARIO)

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Output:
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=environment | {"COLUMNS": "80"} | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
        assert done.returncode != 70, done.stderr
        return Output(done.returncode, done.stdout, done.stderr)

    return run
