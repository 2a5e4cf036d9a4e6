"""What a run cannot have a copy of: it belongs to the user, so it must be allowed by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from chaoskit.stack.project import Project

_DOCKER_SOCKET = ("/var/run/docker.sock", "/run/docker.sock")


@dataclass(frozen=True, slots=True)
class Uncopyable:
    """Something outside the copy; `name` is what `stack.shared` must list to allow it."""

    name: str
    what: str
    service: str | None = None
    aliases: tuple[str, ...] = ()

    def allowed_by(self, allowed: Collection[str]) -> bool:
        return any(name in allowed for name in (self.name, *self.aliases))


def uncopyable_things(project: Project, directory: Path) -> list[Uncopyable]:
    """Return everything the project shares with the host or with others.

    `directory` is the project directory: paths below it are named relative to it.
    """
    found = [
        Uncopyable(network.key, "external network", aliases=(network.name,))
        for network in project.networks.values()
        if network.external
    ]
    found += [
        Uncopyable(volume.key, "external volume", aliases=(volume.name,))
        for volume in project.volumes.values()
        if volume.external
    ]
    found += [
        Uncopyable(volume.key, f"volume on the host's {volume.device}", aliases=(volume.device,))
        for volume in project.volumes.values()
        if volume.device
    ]
    for service in project.services.values():
        for mount in service.mounts:
            if mount.type == "bind" and (not mount.read_only or mount.source in _DOCKER_SOCKET):
                what = "the Docker socket" if mount.source in _DOCKER_SOCKET else "bind mount"
                what = (
                    what if mount.read_only else f"writable {what}".replace("writable the", "the")
                )
                name = _relative(mount.source, directory)
                found.append(Uncopyable(name, what, service.name, (mount.source,)))
        found += [Uncopyable(device, "host device", service.name) for device in service.devices]
    return found


def _relative(source: str, directory: Path) -> str:
    try:
        return f"./{Path(source).relative_to(directory.resolve())}"
    except ValueError:
        return source
