"""Packets dropped in the network namespace of one container, by rules of our own chain.

A helper container joins the namespace with only CAP_NET_ADMIN, standing by since before the faults
or for one look alone; the rules stay until they are removed or the namespace ends with its
container. Rules are on INPUT alone: a packet dropped on OUTPUT would be an error of `send` for the
sender (EPERM), which no real network gives. The chain carries the run and the fault in its name, so
any other process can find it and remove it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaoskit.docker.containers import Container
from chaoskit.docker.helper import Helpers
from chaoskit.errors import FaultFailed
from chaoskit.scripts import script
from chaoskit.text import last_words

CAPABILITIES = ("NET_ADMIN",)
_SHARE_TOLERANCE = 1e-6  # the kernel keeps a probability as a fraction of 2^31

# The scripts name themselves in $0. Each prints the rules that there are when it is done.
ADD, READ, REMOVE = "netfilter/add.sh", "netfilter/read.sh", "netfilter/remove.sh"


@dataclass(frozen=True, slots=True)
class Drop:
    """What is dropped as it arrives: everything from one address, or only TCP packets to a port of
    this container or from a port of the sender; `share` of them, between 0 and 1."""

    source: str
    to_port: int | None = None
    from_port: int | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Count:
    """One rule as it was read back: packets that it dropped, packets that it looked at."""

    drop: Drop
    dropped: int
    seen: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What one namespace has of one chain. Without the jump the rules are there in vain."""

    chain: bool
    jump: bool
    counts: tuple[Count, ...]

    def lacks(self, wanted: Iterable[Drop]) -> list[Drop]:
        """Return the drops that are not in force here."""
        if not self.jump:
            return list(wanted)
        return [drop for drop in wanted if not any(_same(drop, c.drop) for c in self.counts)]

    def count(self, drop: Drop) -> Count | None:
        """Return what was counted for one of the drops."""
        return next((count for count in self.counts if _same(drop, count.drop)), None)


def chain_prefix(project: str) -> str:
    """Return how the names of all chains of a run's Compose project start."""
    return f"CK-{_hex(project)}-"


def chain_name(project: str, fault: str) -> str:
    """Return the chain of one fault of one run; iptables allows 28 characters."""
    return chain_prefix(project) + _hex(fault)


async def add(
    helpers: Helpers, project: str, container: Container, chain: str, drops: Sequence[Drop]
) -> Rules:
    """Put drops in force in a container's namespace, all at once for each of IPv4 and IPv6, and
    read them back.

    Raises `FaultFailed` when the container does not have its own namespace or iptables refuses.
    """
    if not container.addresses:
        # Host networking and shared namespaces: the rules would hit others.
        raise FaultFailed(f"`{container.name}` has no separate network namespace")
    four = [drop for drop in drops if ":" not in drop.source]
    six = [drop for drop in drops if ":" in drop.source]
    texts = _restore(chain, four), _restore(chain, six)
    return parse(await run_script(helpers, project, container, ADD, "filter", *texts), chain)


async def read(helpers: Helpers, project: str, container: Container, chain: str) -> Rules:
    """Read a chain and its packet counters back. Raises `FaultFailed`."""
    return parse(await run_script(helpers, project, container, READ, "filter"), chain)


async def remove(helpers: Helpers, project: str, container: Container, prefix: str) -> Rules:
    """Remove every chain whose name starts with `prefix`; none at all is fine. Returns what is left
    of the chain that has just this name."""
    text = await run_script(helpers, project, container, REMOVE, "filter", prefix)
    return parse(text, prefix)


def parse(text: str, chain: str) -> Rules:
    """Parse the output of `iptables-save -c`."""
    lines = text.splitlines()
    counts: list[Count] = []
    seen: dict[tuple[object, ...], int] = {}  # by the counting rules that stand before a share
    for line in lines:
        counters, _, rule = line.partition("] ")
        words = rule.split()
        if not counters.startswith("[") or words[:2] != ["-A", chain]:
            continue
        packets = int(counters[1:].partition(":")[0])
        options = dict(zip(words[2::2], words[3::2], strict=False))
        drop = Drop(
            options["-s"].partition("/")[0],
            _number(options.get("--dport")),
            _number(options.get("--sport")),
            float(options.get("--probability", 1)),
        )
        key = (drop.source, drop.to_port, drop.from_port)
        if options.get("-j") == "DROP":
            counts.append(Count(drop, packets, seen.get(key, packets)))
        else:
            seen[key] = packets
    return Rules(
        chain=any(line.startswith(f":{chain} ") for line in lines),
        jump=any(line.endswith(f"] -A INPUT -j {chain}") for line in lines),
        counts=tuple(counts),
    )


async def stand_by(helpers: Helpers, project: str, container: Container) -> None:
    """Have a helper wait in a container's namespace, so that what follows is quick. Raises
    `ChaoskitError`; everything works without it."""
    await helpers.stand_by(
        project,
        namespace(container),
        network_of=container.id,
        capabilities=CAPABILITIES,
    )


async def run_script(
    helpers: Helpers, project: str, container: Container, name: str, *arguments: str
) -> str:
    """Run one of the scripts in a container's namespace and return what it printed. Raises
    `FaultFailed`."""
    argv = ["sh", "-c", script(name), name, *arguments]
    return await run(helpers, project, container, argv, name)


async def run(
    helpers: Helpers,
    project: str,
    container: Container,
    argv: Sequence[str],
    name: str,
    within: float = 10.0,
) -> str:
    """Run a command in a container's namespace, in the helper that stands by there or in one of its
    own; return what it printed. Raises `FaultFailed`, with its `name`."""
    done = await helpers.run_standing_by(namespace(container), argv, within)
    if done is None:
        done = await helpers.run(
            project,
            argv,
            network_of=container.id,
            capabilities=CAPABILITIES,
            within=within,
        )
    if done.status != 0:
        said = last_words(done.text, 200)
        raise FaultFailed(f"{name} in `{container.name}` failed: {said}")
    return done.text


def namespace(container: Container) -> tuple[str, str]:
    """Return what identifies a network namespace: a container that restarts gets another."""
    return container.id, container.state.started_at


def _restore(chain: str, drops: Sequence[Drop]) -> str:
    """Return the input of one `iptables-restore`, nothing for no drops."""
    if not drops:
        return ""
    rules = []
    for drop in drops:
        match = f"-A {chain} -s {drop.source}"
        if drop.to_port is not None:
            match += f" -p tcp --dport {drop.to_port}"
        if drop.from_port is not None:
            match += f" -p tcp --sport {drop.from_port}"
        if drop.share < 1:
            rules.append(match)  # counts what it sees and lets it go on
            match += f" -m statistic --mode random --probability {drop.share:.9f}"
        rules.append(f"{match} -j DROP")
    return "\n".join(["*filter", f":{chain} - [0:0]", *rules, f"-I INPUT -j {chain}", "COMMIT", ""])


def _same(one: Drop, other: Drop) -> bool:
    return (one.source, one.to_port, one.from_port) == (
        other.source,
        other.to_port,
        other.from_port,
    ) and abs(one.share - other.share) < _SHARE_TOLERANCE


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
