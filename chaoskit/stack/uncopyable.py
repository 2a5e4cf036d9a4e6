"""What a run cannot have a copy of: it belongs to the user, so it must be allowed by name."""

from __future__ import annotations

import socket
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from chaoskit.docker.volumes import WritableMount
from chaoskit.stack.project import Project, Resource

_DOCKER_SOCKET = ("/var/run/docker.sock", "/run/docker.sock")


@dataclass(frozen=True, slots=True)
class Uncopyable:
    """Something outside the copy; `name` is what `stack.shared` must list to allow it."""

    name: str
    what: str
    service: str | None = None
    aliases: tuple[str, ...] = ()
    written_path: str = ""  # what the run can write: a directory or file of the host
    written_volume: str = ""  # or a volume, by the engine's name for it

    def allowed_by(self, allowed: Collection[str]) -> bool:
        return any(name in allowed for name in (self.name, *self.aliases))

    def written_by(self, mount: WritableMount) -> bool:
        """Return whether somebody's running container can write to the same data. Two servers on
        one folder each believe that it is theirs."""
        if self.written_volume and self.written_volume == mount.volume:
            return True
        return bool(self.written_path and mount.path) and _overlap(
            Path(self.written_path), Path(mount.path)
        )


def uncopyable_things(project: Project, directory: Path) -> list[Uncopyable]:
    """Return everything the project shares with the host or with others.

    `directory` is the project directory: paths below it are named relative to it.
    """
    found = [
        Uncopyable(network.key, "external network", aliases=(network.name,))
        for network in project.networks.values()
        if network.external
    ]
    for volume in project.volumes.values():
        written = _is_written(volume, project)
        if volume.external:
            name = volume.name if written else ""
            found.append(
                Uncopyable(
                    volume.key, "external volume", aliases=(volume.name,), written_volume=name
                )
            )
        if volume.device:
            what, path = f"volume on the host's {volume.device}", volume.device if written else ""
            found.append(Uncopyable(volume.key, what, aliases=(volume.device,), written_path=path))
    for service in project.services.values():
        for mount in service.mounts:
            if mount.type == "bind" and (not mount.read_only or mount.source in _DOCKER_SOCKET):
                what = "the Docker socket" if mount.source in _DOCKER_SOCKET else "bind mount"
                what = (
                    what if mount.read_only else f"writable {what}".replace("writable the", "the")
                )
                name = _relative(mount.source, directory)
                path = "" if mount.read_only else mount.source
                found.append(
                    Uncopyable(name, what, service.name, (mount.source,), written_path=path)
                )
        found += [Uncopyable(device, "host device", service.name) for device in service.devices]
        found += [Uncopyable(service.name, f"`{what}`") for what in service.not_its_own]
    return found


def _is_written(volume: Resource, project: Project) -> bool:
    return any(
        mount.type == "volume" and mount.source == volume.key and not mount.read_only
        for service in project.services.values()
        for mount in service.mounts
    )


def _overlap(ours: Path, theirs: Path) -> bool:
    """Return whether two paths are one, or one is in the other, wherever their links lead."""
    try:
        ours, theirs = ours.resolve(), theirs.resolve()
        mode = ours.stat().st_mode
    except (OSError, RuntimeError):  # it is not there yet, or on another machine
        mode = stat.S_IFDIR
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return False  # a socket is there to be shared
    return ours == theirs or ours in theirs.parents or theirs in ours.parents


def is_this_machine(container_id: str) -> bool:
    """Return whether a container is the one that chaoskit runs in: its name is the host's."""
    name = socket.gethostname()
    return len(name) == 12 and container_id.startswith(name)


def _relative(source: str, directory: Path) -> str:
    try:
        return f"./{Path(source).relative_to(directory.resolve())}"
    except ValueError:
        return source
