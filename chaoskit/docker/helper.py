"""Helper containers: short-lived containers of ours that act next to a container of the run.

They run in the network or process namespace of their target with only the capabilities they need,
carry the run's labels, and remove themselves. The image needs iptables, stress-ng and a shell.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaoskit.docker.labels import COMPOSE_PROJECT_LABEL, HELPER, PROJECT_LABEL, ROLE_LABEL
from chaoskit.docker.standby import StandbyHelpers
from chaoskit.errors import EnvironmentFailure, FaultFailed

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call
    from chaoskit.docker.images import Images

OWN_HELPER = "chaoskit/lab:1"
HELPER_VARIABLE = "CHAOSKIT_HELPER_IMAGE"


@dataclass(frozen=True, slots=True)
class HelperOutput:
    """How a helper ended: its exit status and everything it printed."""

    status: int
    text: str


def helper_labels(project: str) -> dict[str, str]:
    """Return the labels of a container of ours in a project."""
    return {
        COMPOSE_PROJECT_LABEL: project,  # the teardown of the project finds it after a crash
        PROJECT_LABEL: project,
        ROLE_LABEL: HELPER,
    }


def helper_image() -> str:
    """Return the name of the image for helpers."""
    return os.environ.get(HELPER_VARIABLE, OWN_HELPER)


class Helpers:
    """Runs helper containers: once, standing by, or until they are removed."""

    def __init__(self, api: APIClient, call: Call, images: Images) -> None:
        self._api = api
        self._call = call
        self._images = images
        self._standby = StandbyHelpers(api, call)

    async def image(self) -> str:
        """Return the image for helpers. Raises `EnvironmentFailure` when it is not there."""
        image = helper_image()
        if await self._images.has(image):
            return image
        raise EnvironmentFailure(
            f"the helper image `{image}` is not here",
            hint=f"build it with `make images`, or name one in {HELPER_VARIABLE}",
        )

    async def run(
        self,
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

        `network_of` is the id of the container whose network namespace it joins; `host_processes`
        puts it into the process namespace of the engine's host; `volumes` maps names to paths in
        it. Raises `FaultFailed` past its deadline, in seconds.
        """
        status, text = await self._run_to_end(
            await self.image(),
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

    async def _run_to_end(
        self,
        image: str,
        argv: Sequence[str],
        *,
        labels: Mapping[str, str],
        network: str,
        host_processes: bool,
        capabilities: Sequence[str],
        within: float,
        volumes: Mapping[str, str] | None = None,
    ) -> tuple[int | None, str]:
        """Run a container to its end and remove it; return its exit status (None when it ran past
        `within` seconds) and what it printed. `volumes` are mounted by name, each at its path."""

        def run() -> tuple[int | None, str]:
            import requests

            host = self._api.create_host_config(
                network_mode=network,
                pid_mode="host" if host_processes else None,
                cap_drop=["ALL"],
                cap_add=list(capabilities),
                binds=[f"{name}:{path}" for name, path in (volumes or {}).items()],
            )
            made = self._api.create_container(
                image, list(argv), entrypoint="", labels=dict(labels), host_config=host
            )
            try:
                self._api.start(made["Id"])
                try:
                    ended = self._api.wait(made["Id"], timeout=round(within))
                    status: int | None = ended["StatusCode"]
                except requests.exceptions.RequestException:
                    status = None
                text = bytes(self._api.logs(made["Id"])).decode(errors="replace")
            finally:
                self._api.remove_container(made["Id"], force=True, v=True)
            return status, text

        return await self._call("run a helper", run)

    async def stand_by(
        self,
        project: str,
        key: tuple[str, ...],
        *,
        network_of: str,
        capabilities: Sequence[str],
    ) -> None:
        """Start a helper container that waits for commands under a key, in the network namespace of
        another container. It ends with this process at the latest. Raises `ChaoskitError`."""
        await self._standby.open(
            key,
            await self.image(),
            labels=helper_labels(project),
            network=f"container:{network_of}",
            capabilities=capabilities,
        )

    async def run_standing_by(
        self, key: tuple[str, ...], argv: Sequence[str], within: float = 10.0
    ) -> HelperOutput | None:
        """Run a command in the helper that stands by under a key; None where none does."""
        done = await self._standby.run(key, argv, within)
        return None if done is None else HelperOutput(*done)

    async def start(
        self,
        project: str,
        argv: Sequence[str],
        *,
        name: str,
        memory: int,
        cpuset: str = "",
        network_of: str | None = None,
        capabilities: Sequence[str] = (),
    ) -> None:
        """Start a helper container that goes on working until it is removed by its name.

        `cpuset` are the CPUs it may use (empty: all), `memory` its limit in bytes, `network_of` the
        id of the container whose network namespace it joins. What it prints can be read.
        """
        await self._start(
            await self.image(),
            argv,
            name=name,
            labels=helper_labels(project),
            cpuset=cpuset,
            memory=memory,
            network=f"container:{network_of}" if network_of else "none",
            capabilities=capabilities,
        )

    async def _start(
        self,
        image: str,
        argv: Sequence[str],
        *,
        name: str,
        labels: Mapping[str, str],
        cpuset: str,
        memory: int,
        network: str,
        capabilities: Sequence[str],
    ) -> None:
        """Create and start a container that is limited in memory (bytes)."""

        def start() -> None:
            from docker.types import LogConfig

            host = self._api.create_host_config(
                network_mode=network,
                cap_drop=["ALL"],
                cap_add=list(capabilities),
                log_config=LogConfig(type="json-file"),  # whatever the engine's default is
                mem_limit=memory,
                cpuset_cpus=cpuset or None,
                oom_score_adj=1000,  # where the host runs out of memory, it goes first
            )
            made = self._api.create_container(
                image, list(argv), name=name, entrypoint="", labels=dict(labels), host_config=host
            )
            self._api.start(made["Id"])

        await self._call("start a helper", start)

    def close(self) -> None:
        self._standby.close()
