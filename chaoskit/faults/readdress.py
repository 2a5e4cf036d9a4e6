"""`readdress`: a service that comes back under another IP address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chaoskit.docker.helper import helper_labels
from chaoskit.docker.networks import stand_ins
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.fields import Duration, Model
from chaoskit.tasks import together
from chaoskit.text import seconds_text

if TYPE_CHECKING:
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack


class OldAddress(Model):
    """An address that a replica had on a network, and who takes it; see `docker.networks.take`."""

    replica: int
    network: str
    address: str
    stand_in: str


class ReaddressUndo(ContainersUndo):
    """The addresses that are taken meanwhile."""

    addresses: tuple[OldAddress, ...]


@fault("readdress")
class Readdress(ServiceFault[ReaddressUndo]):
    """Restart a service so that it comes back under another IP address.

    What an update, or another order of starting, does: clients that looked the name up once go on
    asking the old address. While the fault is in force, a container of ours has that address, where
    nobody listens: connections are refused (unless another container of the stack took it, which
    answers then in its own way). The service keeps its new address after the heal. Clients behind a
    proxy never see it, because the proxy's address stays: so edges to the service get none, unless
    another fault of the scenario needs one there. `grace` is the time until SIGKILL; by default the
    service's own.
    """

    undo_model = ReaddressUndo
    ends_processes = True
    needs = ("helper",)
    example = "{ at: 2s, for: 5s, fault: readdress, service: redis }"

    grace: Duration | None = None

    def forecast(self) -> Forecast:
        grace = "its own grace period" if self.grace is None else seconds_text(self.grace)
        return Forecast(
            f"SIGTERM to {self.target} (SIGKILL after {grace}), then started under another address",
            "remove who took the old address; the service keeps the new one",
            "clients behind a proxy: for them the address stays",
        )

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is None:
            return None
        fixed = [one.fixed_ip for one in service.attachments if one.fixed_ip]
        if fixed:
            return f"`{self.service}` has the fixed address {fixed[0]} in the Compose file"
        if service.network_mode:
            mode = service.network_mode
            return f"`{self.service}` has no address of its own: `network_mode: {mode}`"
        return None

    def moves(self) -> Sequence[str]:
        return [self.service]

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return ()  # behind a proxy it is a restart: the addresses are the proof

    async def prepare(self, stack: Stack) -> ReaddressUndo:
        hit, whole = await self.chosen(stack)
        addresses = [
            OldAddress(
                replica=container.state.replica,
                network=name,
                address=endpoint.address,
                stand_in=f"{container.name}-{self.name}-{number}",
            )
            for container in hit
            for number, (name, endpoint) in enumerate(
                sorted((await stack.networks.of(container.id)).items())
            )
            if endpoint.address is not None
        ]
        if not addresses:
            raise FaultFailed(f"`{self.service}` has no IPv4 address")
        return self.undo_for(map(ReplicaRow.of, hit), whole, addresses=addresses)

    async def inject(self, stack: Stack, undo: ReaddressUndo) -> None:
        found = await containers.targets(stack, undo)
        await containers.stop(stack, undo, self.grace)
        image, labels = await stack.helpers.image(), helper_labels(stack.project)
        for one in undo.addresses:
            await stack.networks.take(one.network, one.address, one.stand_in, image, labels)
        await together(*(stack.containers.start(c.id) for c in found))
        await containers.open_paths(stack, undo)

    @classmethod
    async def heal(cls, stack: Stack, undo: ReaddressUndo) -> None:
        names = [name for one in undo.addresses for name in stand_ins(one.stand_in)]
        await together(*(stack.recreate.remove(name, volumes=True) for name in names))
        await containers.bring_back(stack, undo)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: ReaddressUndo) -> Receipt:
        found = {c.state.replica: c for c in await containers.targets(stack, undo)}
        parts = []
        for one in undo.addresses:
            container = found.get(one.replica)
            if container is None or not container.state.running:
                return Receipt(False, f"`{undo.service}` does not run")
            now = (await stack.networks.of(container.id)).get(one.network)
            holder = await stack.networks.holder_of(one.network, one.address)
            if now is None or now.address == one.address:
                return Receipt(False, f"{container.name} still has {one.address}")
            ours = holder in stand_ins(one.stand_in)
            whose = "refuses connections" if ours else f"is that of {holder or 'nobody'}"
            parts.append(
                f"{container.name}: {one.address} -> {now.address}, the old address {whose}"
            )
        return Receipt(True, "; ".join(parts))

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: ReaddressUndo) -> Receipt:
        for one in undo.addresses:
            holder = await stack.networks.holder_of(one.network, one.address)
            if holder in stand_ins(one.stand_in):
                return Receipt(False, f"`{holder}` still has {one.address}")
        return await containers.all_in(stack, undo, "running")
