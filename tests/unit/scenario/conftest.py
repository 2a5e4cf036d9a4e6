"""A folder with a Compose file, and a scenario in it that tests change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from chaoskit.errors import Problem, ScenarioInvalid
from chaoskit.scenario.loading import Loaded, load

GOOD = """\
name: redis-restart
stack:
  compose: compose.yaml
probes:
  chat: { probe: http, url: http://chat:8082/healthz, every: 100ms, timeout: 1s }
  cache: { probe: redis, url: redis://redis:6379/0 }
workloads:
  members:
    workload: set
    rate: 50/s
    add: { http: POST http://chat:8082/participants, json: {user_id: "{value}"}, ok: [201] }
    read: { http: GET http://chat:8082/participants, values: "$.participants[*].user_id" }
timeline:
  faults:
    - { at: 0s, fault: restart, service: redis }
    - { id: slow, at: 5s, for: 4s, fault: latency, edge: chat -> redis, delay: 300ms }
expect:
  - { check: availability, probe: chat, at_least: 99% }
  - { check: no_loss, workload: members }
"""


class Desk:
    """Where one scenario file is written and loaded."""

    good = GOOD

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scenario.yaml"
        (folder / "compose.yaml").write_text("services: {}\n")

    def load(self, text: str | bytes = GOOD, environ: Mapping[str, str] | None = None) -> Loaded:
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(self.file, environ or {})

    def changed(self, *changes: tuple[str, str]) -> str:
        """Return the good scenario with every (old, new) replaced; each old must be there."""
        text = GOOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return text

    def problems(
        self, text: str | bytes, environ: Mapping[str, str] | None = None
    ) -> tuple[Problem, ...]:
        with pytest.raises(ScenarioInvalid) as caught:
            self.load(text, environ)
        return caught.value.problems

    def problem(self, text: str | bytes, environ: Mapping[str, str] | None = None) -> Problem:
        problems = self.problems(text, environ)
        assert len(problems) == 1, [problem.render() for problem in problems]
        return problems[0]

    def problem_after(self, *changes: tuple[str, str]) -> Problem:
        return self.problem(self.changed(*changes))

    @staticmethod
    def underlined(problem: Problem) -> str:
        """Return the part of the source line that the caret points at."""
        return problem.source[problem.column - 1 : problem.column - 1 + problem.width]

    def rendered(self, text: str) -> str:
        """Return all problems as a user sees them, the file by its name only."""
        shown = "\n".join(problem.render() for problem in self.problems(text))
        return shown.replace(f"{self.folder}/", "")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
