"""`disconnect`: a service taken off one of its networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from chaoskit.docker.helper import helper_labels
from chaoskit.docker.networks import Endpoint, same_but_for_address
from chaoskit.errors import FaultFailed
from chaoskit.faults.contract import Forecast, Receipt, fault
from chaoskit.faults.engines import containers
from chaoskit.faults.engines.containers import ContainersUndo, ReplicaRow, ServiceFault
from chaoskit.tasks import together

if TYPE_CHECKING:
    from chaoskit.stack.project import Project
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack

_NetworkName = Annotated[str, Field(min_length=1, max_length=128)]


class DisconnectUndo(ContainersUndo):
    """The network, what each replica had on it, and the proxies (container, name) to be closed
    meanwhile."""

    network: str
    before: Mapping[int, Endpoint]
    closed: tuple[tuple[str, str], ...]


@fault("disconnect")
class Disconnect(ServiceFault[DisconnectUndo]):
    """Take a service off one of its networks: no route, and its name is gone there.

    Open connections over that network stay open and silent. Proxied edges that have no other
    network are refused meanwhile. Healing brings back the same address, aliases and links. Without
    `network:` in the Compose file the only one is called `default`.
    """

    undo_model = DisconnectUndo
    needs = ("helper",)  # healing may need placeholders to get back to the same address
    example = "{ at: 2s, for: 4s, fault: disconnect, service: redis, network: default }"

    network: _NetworkName

    def impossible_because(self, project: Project) -> str | None:
        service = project.services.get(self.service)
        if service is None or self.network in service.networks:
            return None
        names = {project.networks[n].name for n in service.networks if n in project.networks}
        if self.network in names:
            return None
        known = ", ".join(service.networks) or "none"
        return f"`{self.service}` is not on a network `{self.network}` (it is on: {known})"

    def forecast(self) -> Forecast:
        return Forecast(
            f"{self.target} off the network {self.network}: no route and no name",
            "connect the same containers again with the same address, aliases and links",
            "packets that get lost on the way: sending fails at once with `no route to host`",
        )

    def listeners(self, stack: Stack) -> Sequence[Proxy]:
        return ()  # over another network it may still be reached: the engine's state is the proof

    async def prepare(self, stack: Stack) -> DisconnectUndo:
        hit, whole = await self.chosen(stack)
        before = {}
        for container in hit:
            found = await stack.networks.of(container.id)
            name = next(
                (n for n in (f"{stack.project}_{self.network}", self.network) if n in found), None
            )
            if name is None:
                raise FaultFailed(
                    f"`{container.name}` is not on the network `{self.network}`"
                    f" (it is on: {', '.join(sorted(found)) or 'none'})"
                )
            before[container.state.replica] = found[name]
        network = next(iter(before.values())).network
        closed = await _only_over(stack, self.service, network) if whole else []
        rows = map(ReplicaRow.of, hit)
        return self.undo_for(rows, whole, network=network, before=before, closed=closed)

    async def inject(self, stack: Stack, undo: DisconnectUndo) -> None:
        # Toxiproxy dials while it accepts: behind an open proxy a silent upstream would block it.
        await stack.close_proxies(_closed(stack, undo), undo.holder)
        found = await containers.targets(stack, undo)
        await together(*(stack.networks.disconnect(c.id, undo.network) for c in found))

    @classmethod
    async def heal(cls, stack: Stack, undo: DisconnectUndo) -> None:
        image, labels = await stack.helpers.image(), helper_labels(stack.project)
        try:
            for container in await containers.targets(stack, undo):  # one by one: addresses
                wanted = undo.before[container.state.replica]
                await stack.networks.restore(container.id, wanted, image, labels)
        finally:
            await stack.open_proxies(_closed(stack, undo), undo.holder)

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: DisconnectUndo) -> Receipt:
        network = undo.network
        parts = []
        for container in await containers.targets(stack, undo):
            found = await stack.networks.of(container.id)
            if network in found:
                return Receipt(False, f"{container.name} is on {network}")
            parts.append(f"{container.name} is off {network}, on {', '.join(found) or 'none'}")
        return Receipt(bool(parts), ", ".join(parts) or "no container left")

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: DisconnectUndo) -> Receipt:
        network = undo.network
        parts = []
        for container in await containers.targets(stack, undo):
            now = (await stack.networks.of(container.id)).get(network)
            if now is None:
                return Receipt(False, f"{container.name} is off {network}")
            before = undo.before[container.state.replica]
            problem = same_but_for_address(now, before)
            if problem:
                return Receipt(False, f"{container.name} on {network}: {'; '.join(problem)}")
            said = f"{container.name} is on {network} as before"
            if container.state.running and now.address != before.address:
                holder = await stack.networks.holder_of(network, str(before.address))
                if holder is None:
                    return Receipt(
                        False, f"{container.name} has {now.address}, not {before.address}"
                    )
                said += f", with {now.address}: {holder} took {before.address} meanwhile"
            parts.append(said)
        for proxy in _closed(stack, undo):
            state = await stack.state_of(proxy)
            if not state.enabled and not stack.closed_by_others(proxy, undo.holder):
                return Receipt(False, f"{proxy.container}/{proxy.name} is still closed")
        holds = len(parts) == len(undo.before)
        return Receipt(holds, ", ".join(parts) or "no container left")


async def _only_over(stack: Stack, service: str, network: str) -> list[tuple[str, str]]:
    """Return the proxies of edges from and to a service that have no other way than a network."""

    async def networks(name: str) -> set[str]:
        found = await stack.containers.of(stack.project, name)
        return set(await stack.networks.of(found[0].id)) if found else set()

    mine = await networks(service)
    rows = []
    for proxy in stack.proxies:
        if proxy.upstream == service:
            shared = mine & await networks(proxy.container)
        elif proxy.client == service:
            # It may reach its proxy over another network that it does not share with the upstream.
            shared = mine & await networks(proxy.upstream)
        else:
            continue
        if shared == {network}:
            rows.append((proxy.container, proxy.name))
    return rows


def _closed(stack: Stack, undo: DisconnectUndo) -> list[Proxy]:
    found = [stack.find(container, name) for container, name in undo.closed]
    return [proxy for proxy in found if proxy is not None]
