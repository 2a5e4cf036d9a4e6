"""A helper container whose maker was killed before it ran is removed by the next who looks."""

from __future__ import annotations

import pytest

from chaoskit.docker import cleanup
from chaoskit.docker.client import Engine
from chaoskit.docker.helper import helper_labels
from chaoskit.stack import capabilities
from tests.compose_project import LAB, docker, new_name


async def test_the_next_look_at_the_host_removes_what_a_killed_one_left(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new_name()
    monkeypatch.setattr(capabilities, "_PROJECT", project)
    labels = [f"--label={name}={value}" for name, value in helper_labels(project).items()]
    dead = docker("create", *labels, LAB, "true")
    busy = docker("run", "-d", *labels, LAB, "sleep", "60")
    try:
        await capabilities.missing(engine, ["helper"])
        assert _there(project) == {dead, busy}  # it may be about to run
        monkeypatch.setattr(cleanup, "_IN_USE", -5.0)
        await capabilities.missing(engine, ["helper"])
        assert _there(project) == {busy}
    finally:
        docker("rm", "--force", busy)


def _there(project: str) -> set[str]:
    label = f"label=com.docker.compose.project={project}"
    return set(docker("ps", "-aq", "--no-trunc", "--filter", label).split())
