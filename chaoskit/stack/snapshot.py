"""What a run may change about a stack beside its data, to prove that it did not.

Two snapshots with the same facts are of a stack that a later run cannot tell from one that nobody
touched: the same containers, never restarted, on the same networks, with the same limits, rules and
proxies. Data in stores and files is not looked at.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from chaoskit.clock import until
from chaoskit.docker.containers import Container
from chaoskit.docker.labels import HELPER, ROLE_LABEL
from chaoskit.stack.netfilter import CAPABILITIES
from chaoskit.stack.stack import Stack

STATE = "state of "  # how the facts begin that may take a while to be as before
_LEAVING = 5.0  # seconds a helper that was ended may take to be gone
_POLL = 0.05
_RULES = ["sh", "-c", "iptables-save && ip6tables-save"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Facts about a stack, each under a name for people."""

    facts: Mapping[str, str]

    def differences(self, later: Snapshot) -> list[str]:
        """Return the names of the facts that are not the same any more."""
        names = [*self.facts, *(name for name in later.facts if name not in self.facts)]
        return [name for name in names if self.facts.get(name) != later.facts.get(name)]


async def snapshot(stack: Stack, *, rules: bool) -> Snapshot:
    """Look at every container of a stack and at its proxies; with `rules` also at the packet rules
    in their network namespaces, which only helpers can read.

    Helpers that stand by are not of the stack; any other that is left is a fact. Raises what the
    engine and Toxiproxy raise.
    """
    await stack.attach()
    found = await stack.containers.of(stack.project)
    facts: dict[str, str] = {}
    for container in found:
        if container.labels.get(ROLE_LABEL) != HELPER:
            facts |= await _container(stack, container, rules=rules)
    things = await stack.engine.cleanup.leftovers(stack.project)
    helpers = {f"container {c.name}" for c in found if c.labels.get(ROLE_LABEL) == HELPER}
    facts["containers, networks and volumes"] = ", ".join(sorted(set(things) - helpers))
    for name in sorted({proxy.container for proxy in stack.proxies}):
        states = await stack.api_states(name)
        facts[f"proxies of {name}"] = str(sorted(states.items()))
    for name in sorted({proxy.container for proxy in stack.proxies if proxy.relay}):
        facts[f"HTTP rules of {name}"] = str(sorted((await stack.relay(name).look()).rules))
    return Snapshot(facts)


async def helpers_left(stack: Stack) -> list[str]:
    """End the helpers that stand by; return the names of those that are there all the same."""
    stack.helpers.close()

    async def left() -> list[str]:
        found = await stack.containers.of(stack.project)
        return [c.name for c in found if c.labels.get(ROLE_LABEL) == HELPER]

    return await until(left, met=lambda names: not names, within=_LEAVING, every=_POLL)


async def _container(stack: Stack, container: Container, *, rules: bool) -> dict[str, str]:
    state = container.state
    name = f"{state.service}[{state.replica}]"
    networks, limits = await asyncio.gather(
        stack.networks.of(container.id), stack.limits.limits(container.id)
    )
    well = state.health in (None, "healthy")
    facts = {
        f"container of {name}": f"{container.id} {container.image_id}",
        f"start of {name}": f"{state.started_at} {state.restart_count} {state.oom_killed}",
        f"{STATE}{name}": f"{state.status} {state.exit_code} {'well' if well else state.health}",
        f"networks of {name}": json.dumps(
            {key: endpoint.body() for key, endpoint in sorted(networks.items())}, sort_keys=True
        ),
        f"limits of {name}": str(limits),
    }
    if rules and state.running:
        done = await stack.helpers.run(
            stack.project, _RULES, network_of=container.id, capabilities=CAPABILITIES
        )
        lines = [line.partition(" [")[0] for line in done.text.splitlines() if line[:1] != "#"]
        facts[f"packet rules of {name}"] = "\n".join(line for line in lines if line)
    return facts
