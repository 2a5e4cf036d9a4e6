"""Scenarios as they come out of their files, with the tags and lengths a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chaoskit.scenario.loading import Loaded, load

SCENARIO = """\
name: {name}
tags: [{tags}]
stack: {{ compose: compose.yaml{stack} }}
probes:
  web: {{ probe: http, url: http://web/, every: 100ms }}
timeline:
  baseline: 2s
  faults:
    - {{ id: one, at: 0s, for: {lasts}s, fault: pause, service: web }}
  settle: 2s
expect:
  - {{ check: availability, probe: web, at_least: 50% }}
"""

Make = Callable[..., Loaded]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a scenario of that name."""
    (tmp_path / "compose.yaml").write_text("services: {}\n")

    def made(name: str, tags: Sequence[str] = (), lasts: int = 4, stack: str = "") -> Loaded:
        path = tmp_path / f"{name}.yaml"
        text = SCENARIO.format(name=name, tags=", ".join(tags), lasts=lasts, stack=stack)
        path.write_text(text)
        return load(path, {})

    return made
