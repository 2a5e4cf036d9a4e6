"""Volumes of containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from chaoskit.docker.labels import ANONYMOUS_VOLUME_LABEL, COMPOSE_PROJECT_LABEL

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call


@dataclass(frozen=True, slots=True)
class MountedVolume:
    """A volume of a container; `project` is the Compose project that made it, if one did."""

    name: str
    destination: str
    anonymous: bool
    project: str | None
    users: tuple[str, ...]  # ids of every container that has it, stopped ones too


@dataclass(frozen=True, slots=True)
class WritableMount:
    """A place that a running container can write: a directory or file of the host, or a volume."""

    container: str  # its name
    container_id: str
    project: str | None  # the Compose project of the container, if it has one
    path: str = ""  # on the engine's host; of a volume, what it really is, where it says so
    volume: str = ""


class Volumes:
    """The engine's calls about volumes. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def of(self, container_id: str) -> list[MountedVolume]:
        """Return the volumes of a container, named and anonymous."""

        def read() -> list[MountedVolume]:
            data = cast("Mapping[str, Any]", self._api.inspect_container(container_id))
            mounts = [m for m in data.get("Mounts") or () if m["Type"] == "volume"]
            return [self._volume(mount) for mount in mounts]

        return await self._call("inspect volumes", read)

    async def written(self) -> list[WritableMount]:
        """Return everything that containers which run now can write."""

        def read() -> list[WritableMount]:
            volumes = self._api.volumes()["Volumes"] or ()
            devices = {v["Name"]: (v.get("Options") or {}).get("device") for v in volumes}
            return [
                WritableMount(
                    str(row["Names"][0]).lstrip("/"),
                    str(row["Id"]),
                    (row.get("Labels") or {}).get(COMPOSE_PROJECT_LABEL),
                    path=str(devices.get(m.get("Name")) or m.get("Source") or ""),
                    volume=str(m.get("Name") or ""),
                )
                for row in self._api.containers()
                for m in row.get("Mounts") or ()
                if m.get("RW") and m["Type"] in ("bind", "volume")
            ]

        return await self._call("list mounts", read)

    def _volume(self, mount: Mapping[str, Any]) -> MountedVolume:
        name = str(mount["Name"])
        labels = cast("Mapping[str, Any]", self._api.inspect_volume(name)).get("Labels") or {}
        users = self._api.containers(all=True, filters={"volume": name})
        return MountedVolume(
            name,
            str(mount["Destination"]),
            ANONYMOUS_VOLUME_LABEL in labels
            or (COMPOSE_PROJECT_LABEL not in labels and _is_random(name)),
            labels.get(COMPOSE_PROJECT_LABEL),
            tuple(str(row["Id"]) for row in users),
        )


def _is_random(name: str) -> bool:
    """Return whether the engine made up a volume's name: not every anonymous one has a label."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None
