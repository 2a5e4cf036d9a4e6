"""Helper containers: short-lived containers of ours that act next to a container of the run.

They run in the network or process namespace of their target with only the capabilities they need,
carry the run's labels, and remove themselves. The image needs iptables, stress-ng and a shell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chaoskit.docker.client import Engine
from chaoskit.docker.labels import COMPOSE_PROJECT_LABEL, PROJECT_LABEL, ROLE_LABEL
from chaoskit.errors import EnvironmentFailure, FaultFailed

OWN_HELPER = "chaoskit/lab:1"
HELPER_VARIABLE = "CHAOSKIT_HELPER_IMAGE"


@dataclass(frozen=True, slots=True)
class HelperOutput:
    """How a helper ended: its exit status and everything it printed."""

    status: int
    text: str


async def helper_image(engine: Engine) -> str:
    """Return the image for helpers. Raises `EnvironmentFailure` when it is not there."""
    image = os.environ.get(HELPER_VARIABLE, OWN_HELPER)
    if await engine.has_image(image):
        return image
    raise EnvironmentFailure(
        f"the helper image `{image}` is not here",
        hint=f"build it with `make images`, or name one in {HELPER_VARIABLE}",
    )


def helper_labels(project: str) -> dict[str, str]:
    """Return the labels of a container of ours in a project."""
    return {
        COMPOSE_PROJECT_LABEL: project,  # the teardown of the project finds it after a crash
        PROJECT_LABEL: project,
        ROLE_LABEL: "helper",
    }


async def run_helper(
    engine: Engine,
    project: str,
    argv: Sequence[str],
    *,
    network_of: str | None = None,
    host_processes: bool = False,
    capabilities: Sequence[str] = (),
    volumes: Mapping[str, str] | None = None,
    within: float = 10.0,
) -> HelperOutput:
    """Run a command in a helper container and return what came of it.

    `network_of` is the id of the container whose network namespace it joins; `host_processes` puts
    it into the engine host's process namespace; `volumes` maps names to paths in it. Raises
    `FaultFailed` past its deadline, in seconds.
    """
    status, text = await engine.run_container(
        await helper_image(engine),
        argv,
        labels=helper_labels(project),
        network=f"container:{network_of}" if network_of else "none",
        host_processes=host_processes,
        capabilities=capabilities,
        within=within,
        volumes=volumes,
    )
    if status is None:
        raise FaultFailed(f"helper `{' '.join(argv[:4])}` did not end within {within:.0f} s")
    return HelperOutput(status, text)


async def stand_by(
    engine: Engine,
    project: str,
    key: tuple[str, ...],
    *,
    network_of: str,
    capabilities: Sequence[str],
) -> None:
    """Start a helper container that waits for commands under a key, in the network namespace of
    another container. It ends with this process at the latest. Raises `ChaoskitError`."""
    await engine.standby.open(
        key,
        await helper_image(engine),
        labels=helper_labels(project),
        network=f"container:{network_of}",
        capabilities=capabilities,
    )


async def start_helper(
    engine: Engine, project: str, argv: Sequence[str], *, name: str, cpuset: str, memory: int
) -> None:
    """Start a helper container that goes on working until it is removed by its name.

    `cpuset` are the CPUs it may use (empty: all), `memory` its limit in bytes.
    """
    await engine.recreate.start_new(
        await helper_image(engine),
        argv,
        name=name,
        labels=helper_labels(project),
        cpuset=cpuset,
        memory=memory,
    )
