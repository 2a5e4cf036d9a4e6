"""`recreate`: a new container in place of the old one, with or without its data."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from chaoskit.docker.call import NoSuchContainer
from chaoskit.docker.labels import COMPOSE_PROJECT_LABEL
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.capabilities import Need
    from chaoskit.stack.project import Project
    from chaoskit.stack.stack import Stack

_SUFFIX = "-chaoskit-new"  # of the new container's name, as long as the old one is there
_ROOT = ["DAC_OVERRIDE", "FOWNER"]  # files of any owner, in directories of any owner
_CLOCKS = timedelta(milliseconds=50)  # how far the kernel's file times may be behind


class RecreateUndo(ContainersUndo):
    """Who is replaced, with or without its data, and which volumes were to be emptied or not."""

    keep: bool
    emptied: tuple[str, ...]
    kept: tuple[str, ...]


@fault("recreate")
class Recreate(ServiceFault[RecreateUndo]):
    """Replace the containers of a service by new ones, with or without the data of its volumes.

    What an update does: stop, remove, create with the same configuration, start. Whatever was not
    in a volume is lost. `volumes: lose` also empties the named volumes that only these containers
    of the run use and drops the anonymous ones; what others use, external volumes and bind mounts
    are never touched. A tmpfs loses its content either way. The new container may get another IP.
    """

    undo_model = RecreateUndo
    ends_processes = True
    needs = ("helper",)
    needs_when = "with `volumes: lose`"
    example = "{ at: 2s, fault: recreate, service: redis, volumes: keep }"
    instant = True

    volumes: Literal["keep", "lose"]

    def forecast(self) -> Forecast:
        what = "keeping the data" if self.volumes == "keep" else "losing the data"
        return Forecast(
            f"the containers of {self.target} replaced by new ones, {what} of their volumes",
            "make sure that the new containers, or the old ones, run; lost data stays lost",
            "another image or another configuration: both stay the same",
        )

    def needed(self) -> Sequence[Need]:
        return super().needed() if self.volumes == "lose" else []

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is not None and service.inlined:
            return (
                f"Compose writes `{service.inlined[0]}` into the containers of `{self.service}`:"
                " a new one would lack it"
            )
        for other in project.services.values():
            if other.network_mode == f"service:{self.service}":
                return f"`{other.name}` lives in the network of `{self.service}` and would lose it"
        return None

    async def prepare(self, stack: Stack) -> RecreateUndo:
        hit, whole = await self.chosen(stack)
        emptied: list[str] = []
        kept: list[str] = []
        if self.volumes == "lose":
            emptied, kept = await _named_volumes(stack, hit)
        keep = self.volumes == "keep"
        return self.undo_for(map(ReplicaRow.of, hit), whole, keep=keep, emptied=emptied, kept=kept)

    async def inject(self, stack: Stack, undo: RecreateUndo) -> None:
        old = await containers.targets(stack, undo)
        await containers.stop(stack, undo, None)
        if undo.emptied:
            await _empty(stack, undo.emptied)
        await together(*(_replace(stack, container, keep=undo.keep) for container in old))
        await containers.open_paths(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: RecreateUndo) -> None:
        for row in undo.replicas:
            await _settle(stack, row, keep=undo.keep)
        await containers.bring_back(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: RecreateUndo) -> Receipt:
        holds, parts, oldest = True, [], []
        for row, now in await containers.pairs(stack, undo):
            if now is None or now.id == row.id:
                holds = False
                parts.append(f"{row.name} is {'gone' if now is None else 'the old container'}")
                continue
            holds = holds and now.state.running and now.name == row.name
            oldest.append(now.created)
            parts.append(f"{now.name} is a new container: {row.id[:12]} -> {now.id[:12]}")
        if holds and undo.emptied:
            left = await _older(stack, undo.emptied, min(oldest))
            holds = left == 0
            said = "lost their data" if left == 0 else f"still hold {left} of the old files"
            parts.append(f"{', '.join(undo.emptied)} {said}")
        if undo.kept:
            parts.append(f"{', '.join(undo.kept)} kept: others use it, or it is not the run's own")
        return Receipt(holds, "; ".join(parts))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: RecreateUndo) -> Receipt:
        receipt = await containers.all_in(stack, undo, "running")
        names = {container.name for container in await containers.targets(stack, undo)}
        named = names == {row.name for row in undo.replicas}
        return Receipt(receipt.holds and named, receipt.detail)


async def _named_volumes(stack: Stack, hit: list[Container]) -> tuple[list[str], list[str]]:
    """Return the volumes to empty and those to leave alone, by name."""
    ids = {container.id for container in hit}
    emptied: set[str] = set()
    kept: set[str] = set()
    for container in hit:
        for volume in await stack.volumes.of(container.id):
            if volume.anonymous:
                continue
            ours = volume.project == stack.project and set(volume.users) <= ids
            (emptied if ours else kept).add(volume.name)
    return sorted(emptied), sorted(kept)


async def _replace(stack: Stack, old: Container, *, keep: bool) -> None:
    """Put a new container in place of a stopped one. At every moment there is one of both, which
    is all that `_settle` needs."""
    making = stack.recreate
    new = await making.create_like(old.id, old.name + _SUFFIX, keep_volumes=keep)
    await making.remove(old.id, volumes=not keep)
    await making.rename(new, old.name)
    await stack.containers.start(new)


async def _settle(stack: Stack, row: ReplicaRow, *, keep: bool) -> None:
    """Make one container of what a half-done replacement left: the old one, if it is there."""
    new = await _find(stack, row.name + _SUFFIX)
    if new is None:
        return
    if await _find(stack, row.id) is not None:
        await stack.recreate.remove(new.id, volumes=not keep)
    else:
        await stack.recreate.rename(new.id, row.name)


async def _find(stack: Stack, name: str) -> Container | None:
    with contextlib.suppress(NoSuchContainer):
        found = await stack.containers.inspect(name)
        if found.labels.get(COMPOSE_PROJECT_LABEL) == stack.project:
            return found
    return None  # also where somebody else's container has the name


def _paths(volumes: Sequence[str]) -> dict[str, str]:
    return {volume: f"/volumes/{index}" for index, volume in enumerate(volumes)}


async def _empty(stack: Stack, volumes: Sequence[str]) -> None:
    argv = ["find", *_paths(volumes).values(), "-mindepth", "1", "-delete"]
    done = await stack.helpers.run(
        stack.project, argv, capabilities=_ROOT, volumes=_paths(volumes), within=60
    )
    if done.status != 0:
        raise FaultFailed(f"{', '.join(volumes)} could not be emptied: {done.text.strip()[-200:]}")


async def _older(stack: Stack, volumes: Sequence[str], created: str) -> int:
    """Count what is in volumes since before a container was created."""
    moment = datetime.fromisoformat(created) - _CLOCKS
    # Whoever uses the volumes by now may remove files of its own meanwhile.
    argv = ["find", *_paths(volumes).values(), "-ignore_readdir_race", "-mindepth", "1"]
    argv += ["!", "-newerct", moment.isoformat(), "-printf", "x"]
    done = await stack.helpers.run(
        stack.project, argv, capabilities=_ROOT, volumes=_paths(volumes), within=60
    )
    if done.status != 0:
        raise FaultFailed(f"{', '.join(volumes)} could not be read: {done.text.strip()[-200:]}")
    return done.text.count("x")
