"""Removing what a run made, and listing what is left of it, by the labels it carries."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaoskit.docker.labels import (
    COMPOSE_PROJECT_LABEL,
    FOLDER_LABEL,
    HELPER,
    PROJECT_LABEL,
    ROLE_LABEL,
    RUN_LABEL,
)
from chaoskit.errors import EnvironmentFailure, FaultFailed

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

_IN_USE = 60.0  # seconds after which a helper that does not run is nobody's any more


class Cleanup:
    """The engine's calls that take a whole Compose project away."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def project(self, project: str) -> list[str]:
        """Remove every container, network and volume of a project; return what is left, in words.

        Containers are killed, not stopped: their data goes with them. Containers go first, because
        networks and volumes in use cannot be removed.
        """
        label = {"label": f"{COMPOSE_PROJECT_LABEL}={project}"}
        rows = await self._call("list", lambda: self._api.containers(all=True, filters=label))
        await asyncio.gather(*(self._remove_container(row["Id"]) for row in rows))
        networks = await self._call("list", lambda: self._api.networks(filters=label))
        volumes = await self._call("list", lambda: self._api.volumes(filters=label))
        await asyncio.gather(
            *(self._gone("remove network", self._api.remove_network, n["Id"]) for n in networks),
            *(
                self._gone("remove volume", self._api.remove_volume, v["Name"])
                for v in volumes["Volumes"] or ()
            ),
        )
        return await self.leftovers(project)

    async def services(self, project: str, containers: Sequence[str]) -> None:
        """Remove containers of a project, by id, and all of its volumes: services with their data.

        Raises `EnvironmentFailure` where a volume stays, whose data would be old.
        """
        await asyncio.gather(*(self._remove_container(id) for id in containers))
        label = {"label": f"{COMPOSE_PROJECT_LABEL}={project}"}
        volumes = await self._call("list", lambda: self._api.volumes(filters=label))
        for volume in volumes["Volumes"] or ():
            name = volume["Name"]
            await self._call("remove volume", lambda name=name: self._api.remove_volume(name))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    async def dead_helpers(self, project: str) -> None:
        """Remove helper containers of a project that do nothing and were made a minute ago or
        longer: whoever made them was killed meanwhile."""
        wanted = {"label": [f"{PROJECT_LABEL}={project}", f"{ROLE_LABEL}={HELPER}"]}
        rows = await self._call("list", lambda: self._api.containers(all=True, filters=wanted))
        for row in rows:
            if row["State"] != "running" and row["Created"] < time.time() - _IN_USE:
                await self._remove_container(row["Id"])

    async def leftovers(self, project: str) -> list[str]:
        """Return the names of everything that carries the project's label, each with what it is."""
        rows = await self._labelled(f"{COMPOSE_PROJECT_LABEL}={project}")
        return [f"{what} {name}" for what, name, _ in rows]

    async def foreign(self, project: str, folder: Path) -> list[str]:
        """Return what carries the name of a project but was not made by the run with this folder,
        in words."""
        rows = await self._labelled(f"{COMPOSE_PROJECT_LABEL}={project}")
        return [
            f"{what} {name}" for what, name, labels in rows if not made_by(labels, project, folder)
        ]

    async def label_values(self, label: str, among: str | None = None) -> list[str]:
        """Return the values of a label on everything that carries it, each once.

        `among` is another label, or `label=value`, that it must carry too.
        """
        found = await self._labelled(among or label)
        return sorted({labels[label] for _, _, labels in found if label in labels})

    async def _labelled(self, label: str) -> list[tuple[str, str, Mapping[str, str]]]:
        """Return what carries this label: `container`, `network` or `volume`, name, labels."""

        def read() -> list[tuple[str, str, Mapping[str, str]]]:
            wanted = {"label": label}
            found = {
                "container": self._api.containers(all=True, filters=wanted),
                "network": self._api.networks(filters=wanted),
                "volume": self._api.volumes(filters=wanted)["Volumes"] or (),
            }
            return [
                (what, _name_of(row), row["Labels"] or {})
                for what, rows in found.items()
                for row in rows
            ]

        return await self._call("list", read)

    async def _remove_container(self, container_id: str) -> None:
        await self._gone(
            "remove container",
            lambda id: self._api.remove_container(id, v=True, force=True),
            container_id,
        )

    async def _gone(self, what: str, remove: Callable[[str], object], name: str) -> None:
        """Remove something; that it is gone already is fine, other errors show as leftovers."""
        with contextlib.suppress(EnvironmentFailure, FaultFailed):
            await self._call(what, lambda: remove(name))


def made_by(labels: Mapping[str, str], project: str, folder: Path) -> bool:
    """Return whether something was made by the run with this folder: a part of its stack, or a
    helper container, which knows only its project."""
    if labels.get(ROLE_LABEL) == HELPER:
        return labels.get(PROJECT_LABEL) == project
    return labels.get(RUN_LABEL) == folder.name and labels.get(FOLDER_LABEL) == str(folder)


def _name_of(row: Mapping[str, Any]) -> str:
    """Return the name in a row of a listing: containers have several, or none yet."""
    return str(row["Name"] if "Name" in row else (row["Names"] or [row["Id"]])[0].lstrip("/"))
