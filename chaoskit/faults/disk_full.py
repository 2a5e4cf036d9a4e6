"""`disk_full`: no space left on one mount of a service."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.docker.helper import HelperOutput
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.faults.engines.limits import size_text
from chaoskit.fields import Size
from chaoskit.scripts import script
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.project import Project
    from chaoskit.stack.stack import Stack

_LARGEST = 4 * 1024**3  # bytes: a tmpfs takes the host's memory, and a disk takes long to fill
_DIRECTORY = "/mount"  # of a volume, in the helper
_RIGHTS = ["DAC_OVERRIDE", "SYS_PTRACE"]  # any directory; another container's files by its process


@dataclass(frozen=True, slots=True)
class _Room:
    """How large a mount is and what is free, in bytes."""

    size: int
    free: int


class FullRow(ReplicaRow):
    """A container, the volume at its mount (None: a tmpfs), and the file that fills it."""

    # Patterns, because a helper container mounts the one and removes the other.
    volume: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][\w.-]*$")] | None
    file: Annotated[str, Field(pattern=r"^\.chaoskit-fill-[\w.-]+$")]


class FullUndo(ContainersUndo[FullRow]):
    """The mount, and how many bytes are left free on it."""

    mount: str
    leave: int


@fault("disk_full")
class DiskFull(ServiceFault[FullUndo]):
    """Fill a mount of a service until only `leave` is free: writes fail, no space left on device.

    The mount must have a size of its own that the Compose file sets: a tmpfs with `size`, or a
    named volume with `size=` in its driver options. Anything else is the host's disk, and is
    refused. A file in the mount takes the space; healing removes it. Reads, and writes over
    what a file already holds, go on.
    """

    undo_model = FullUndo
    restarts = False
    needs = ("host-processes",)
    example = "{ at: 2s, for: 5s, fault: disk_full, service: redis, mount: /data, leave: 64KiB }"

    mount: Annotated[str, Field(pattern=r"^/[^\s:]+$", max_length=1024)]
    leave: Annotated[Size, Field(ge=0)] = Size(0)

    def forecast(self) -> Forecast:
        left = size_text(self.leave) if self.leave else "nothing"
        return Forecast(
            f"{self.mount} of {self.target} filled until {left} is left",
            "remove the file that fills it",
            "a failing disk: reads and overwriting go on",
        )

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is None:
            return None
        where = f"`{self.mount}` of `{self.service}`"
        wanted = self.mount.rstrip("/")
        mount = next((m for m in service.mounts if m.target.rstrip("/") == wanted), None)
        if mount is None:
            known = ", ".join(m.target for m in service.mounts) or "none"
            return f"`{self.service}` has no mount `{self.mount}`; it has: {known}"
        if mount.read_only:
            return f"{where} is read-only"
        volume = project.volumes.get(mount.source) if mount.type == "volume" else None
        if volume is not None and volume.external:
            return f"{where} is the external volume `{mount.source}`"
        size = mount.size if volume is None else volume.size
        if mount.type not in ("volume", "tmpfs") or size is None:
            return (
                f"{where} is on the host's disk, or has no size: filling it would fill the host"
                " (it must be a tmpfs with `size`, or a volume with `size=` in its driver options)"
            )
        if size > _LARGEST:
            most = size_text(_LARGEST)
            return f"{where} has {size_text(size)}, more than the {most} that will be filled"
        if self.leave >= size:
            return f"{where} has {size_text(size)} in all, not more than `leave`"
        return None

    async def prepare(self, stack: Stack) -> FullUndo:
        hit, whole = await self.chosen(stack)
        rows = await together(*(self._row(stack, one) for one in hit))
        return self.undo_for(rows, whole, mount=self.mount, leave=int(self.leave))

    async def _row(self, stack: Stack, container: Container) -> FullRow:
        volume = await _volume(stack, container, self.mount)
        file = f".chaoskit-fill-{self.name}-{container.state.replica}"
        row = FullRow.of(container, volume=volume, file=file)
        room = await _measure(stack, container, row, self.mount)
        if room.free <= self.leave:
            raise FaultFailed(
                f"`{self.mount}` of `{container.name}` has only {size_text(room.free)} free already"
            )
        return row

    async def inject(self, stack: Stack, undo: FullUndo) -> None:
        # One after another: replicas can share a volume.
        for row, now in await containers.pairs(stack, undo):
            if now is None:
                raise FaultFailed(f"`{row.name}` is gone")
            done = await _in_mount(stack, now, row, undo.mount, "fill", undo.leave)
            if done.status != 0:
                raise FaultFailed(f"{_where(row, undo.mount)} could not be filled: {_said(done)}")

    @classmethod
    async def heal(cls, stack: Stack, undo: FullUndo) -> None:
        async def one(row: FullRow, now: Container | None) -> None:
            if not _reachable(row, now):
                return
            done = await _in_mount(stack, now, row, undo.mount, "unfill")
            if done.status != 0:
                raise FaultFailed(f"{_where(row, undo.mount)} could not be emptied: {_said(done)}")

        await together(*(one(*pair) for pair in await containers.pairs(stack, undo)))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: FullUndo) -> Receipt:
        async def one(row: FullRow, now: Container | None) -> Receipt:
            if not _reachable(row, now):
                return Receipt(False, f"{row.name} does not run")
            done = await _in_mount(stack, now, row, undo.mount, "try", undo.leave)
            words, where = done.text.strip().split(" ", 2), _where(row, undo.mount)
            if words == ["absent"]:
                return Receipt(False, f"{where} is not filled")
            if done.status != 0 or len(words) < 2:
                return Receipt(False, f"{where} could not be tried: {_said(done)}")
            full = words[0] != "0" and "No space left" in done.text
            said = "fails: No space left on device" if full else "succeeds"
            free = int(words[1]) // 1024
            return Receipt(full, f"{where} has {free} KiB free; writing more {said}")

        return await _all(one(*pair) for pair in await containers.pairs(stack, undo))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: FullUndo) -> Receipt:
        async def one(row: FullRow, now: Container | None) -> Receipt:
            if not _reachable(row, now):
                return Receipt(True, f"{row.name} does not run")
            done = await _in_mount(stack, now, row, undo.mount, "try")
            gone = done.status == 0 and done.text.strip() == "absent"
            return Receipt(gone, f"{_where(row, undo.mount)} is {'not ' if gone else ''}filled")

        return await _all(one(*pair) for pair in await containers.pairs(stack, undo))


async def _all(each: Iterable[Awaitable[Receipt]]) -> Receipt:
    receipts = await together(*each)
    return Receipt(all(r.holds for r in receipts), "; ".join(r.detail for r in receipts))


def _reachable(row: FullRow, now: Container | None) -> bool:
    """Return whether there is a mount to look at: a tmpfs ends with its container."""
    return row.volume is not None or (now is not None and now.pid != 0)


async def _volume(stack: Stack, container: Container, mount: str) -> str | None:
    """Return the name of the volume at a mount, None where it is a tmpfs."""
    volumes = await stack.volumes.of(container.id)
    wanted = mount.rstrip("/")
    return next((v.name for v in volumes if v.destination.rstrip("/") == wanted), None)


async def _measure(stack: Stack, container: Container, row: FullRow, mount: str) -> _Room:
    """Return the size of a mount. Raises `FaultFailed` when it could be the host's own disk."""
    done = await _in_mount(stack, container, row, mount, "measure")
    words = done.text.split()
    if done.status != 0 or len(words) != 6:
        raise FaultFailed(f"{_where(row, mount)} could not be read: {_said(done)}")
    device, above, blocks, block, free, host_blocks = (int(word) for word in words)
    size = blocks * block
    if device == above or blocks == host_blocks or size > _LARGEST:
        raise FaultFailed(f"{_where(row, mount)} is not a separate file system of a small size")
    return _Room(size, free * block)


async def _in_mount(
    stack: Stack,
    container: Container | None,
    row: FullRow,
    mount: str,
    step: str,
    leave: int = 0,
) -> HelperOutput:
    """Run a script of a helper in the mount: a volume is mounted in the helper, a tmpfs is reached
    through the container's main process. The service's own image need not have any tool."""
    if row.volume is not None or container is None:
        pid, owner, directory = "", "", _DIRECTORY
        volumes = {str(row.volume): _DIRECTORY}
    else:
        pid, owner, volumes = str(container.pid), container.id, {}
        directory = f"/proc/{pid}/root{mount}"
    arguments = [pid, owner, directory, row.file, str(leave)]
    return await stack.helpers.run(
        stack.project,
        ["sh", "-c", script(f"disk_full/{step}.sh"), step, *arguments],
        host_processes=bool(pid),
        capabilities=_RIGHTS,
        volumes=volumes,
        within=60,
    )


def _where(row: FullRow, mount: str) -> str:
    return f"{mount} of {row.name}"


def _said(done: HelperOutput) -> str:
    return done.text.strip()[-200:] or f"status {done.status}"
