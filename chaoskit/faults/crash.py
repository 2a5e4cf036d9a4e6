"""`crash`: the main process dies, and the stack's own restart policy has to act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.clock import until
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.fields import Duration
from chaoskit.scripts import script
from chaoskit.tasks import together
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.docker.containers import Container
    from chaoskit.stack.project import Project
    from chaoskit.stack.stack import Stack

_POLL = 0.02


class CrashUndo(ContainersUndo):
    """Who must come back, `within` seconds."""

    within: float


@fault("crash")
class Crash(ServiceFault[CrashUndo]):
    """Let the main process of a service die; its own restart policy must bring it back.

    The process is killed from outside of the engine, which therefore sees a crash: unlike `kill`
    this makes `restart: always`, `unless-stopped` and `on-failure` act. `within` is how long that
    may take; a service that is not back by then makes the run `unknown`, and the heal starts it.
    """

    undo_model = CrashUndo
    ends_processes = True
    needs = ("host-processes",)
    example = "{ at: 2s, fault: crash, service: redis, within: 10s }"
    instant = True

    within: Annotated[Duration, Field(gt=0, le=Duration(300))] = Duration(10)

    def forecast(self) -> Forecast:
        return Forecast(
            f"the main process of {self.target} dies of SIGKILL; its restart policy must bring it"
            f" back within {seconds_text(self.within)}",
            "start what its restart policy did not bring back",
            "power loss: the kernel keeps every written page, so fsync is not tested",
        )

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is None or service.restart not in (None, "", "no", "none"):
            return None
        return (
            f"the stack has no restart policy for `{self.service}`: nothing would bring it back"
            " (for a service that stays down there is `fault: kill`)"
        )

    async def prepare(self, stack: Stack) -> CrashUndo:
        hit, whole = await self.chosen(stack)
        for container in hit:
            if not container.restarts:
                raise FaultFailed(f"`{container.name}` has no restart policy")
        return self.undo_for(map(ReplicaRow.of, hit), whole, within=float(self.within))

    async def inject(self, stack: Stack, undo: CrashUndo) -> None:
        found = await containers.targets(stack, undo)
        await together(*(_kill(stack, container) for container in found))
        await containers.close_paths(stack, undo)
        receipt = await until(
            lambda: self.verify_injected(stack, undo),
            met=lambda receipt: receipt.holds,
            within=self.within,
            every=_POLL,
        )
        if receipt.holds:
            await containers.open_paths(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: CrashUndo) -> Receipt:
        holds, parts = True, []
        for row, now in await containers.pairs(stack, undo):
            if now is None:
                holds = False
                parts.append(f"{row.name} is gone")
                continue
            was, count = row.started_at, row.restart_count
            state = now.state
            clocks = f"started {containers.clock(was)} -> {containers.clock(state.started_at)}"
            counts = f"restart count {count} -> {state.restart_count}"
            if state.started_at == was and state.running:
                holds = False
                parts.append(f"{now.name} did not die: it runs since {containers.clock(was)}")
            elif not state.running:
                holds = False
                parts.append(
                    f"{containers.said(state)}: its restart policy did not bring it back"
                    f" within {seconds_text(undo.within)}"
                )
            elif state.restart_count <= count:
                holds = False
                parts.append(
                    f"{now.name} was started by something other than its restart policy:"
                    f" {clocks}, {counts}"
                )
            else:
                parts.append(
                    f"the main process of {now.name} died and its restart policy brought it back:"
                    f" {clocks}, {counts}"
                )
        return Receipt(holds, "; ".join(parts))


async def _kill(stack: Stack, container: Container) -> None:
    argv = ["sh", "-c", script("processes/crash.sh"), "crash", str(container.pid), container.id]
    done = await stack.helpers.run(stack.project, argv, host_processes=True, capabilities=["KILL"])
    if done.status != 0:
        raise FaultFailed(
            f"the main process of `{container.name}` (pid {container.pid}) could not be killed:"
            f" {done.text.strip()[-200:] or 'it is not there any more'}"
        )
