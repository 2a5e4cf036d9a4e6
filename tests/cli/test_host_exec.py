"""Commands on this machine run only when they were allowed by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

FAULT = "{ at: 0s, fault: exec, host: true, inject: touch made, verify: test -e made }"


def test_a_scenario_with_host_commands_is_refused_until_they_are_allowed(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    scenario = tmp_path / "scenario.yaml"
    blackhole = "{ at: 0s, for: 2s, fault: blackhole, edge: chat -> redis }"
    scenario.write_text(scenario.read_text().replace(blackhole, f"{blackhole}\n    - {FAULT}"))
    refused = cli("run", "scenario.yaml")
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr == (
        "error: fault `exec` of `scenario.yaml` runs commands on this machine\n"
        "hint: read them, then add `--allow-host-exec`\n"
    )
    assert not (tmp_path / "made").exists()
    # Past that, the next thing that is missing is the engine; other faults need no permission.
    no_engine = {"DOCKER_HOST": "unix:///nonexistent.sock"}
    assert cli("run", "scenario.yaml", "--allow-host-exec", env=no_engine).code == 4
    assert cli("run", "scenario.yaml", "--only-fault", "blackhole", env=no_engine).code == 4
