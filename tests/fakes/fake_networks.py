"""Networks in memory: iptables chains per network namespace, and endpoints of containers.

It plays what the scripts of `chaoskit.stack.netfilter` do, and prints as `iptables-save -c` does;
the contract tests hold the scripts and the parser against the real iptables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chaoskit.docker.networks import Endpoint, stand_ins
from chaoskit.errors import EnvironmentFailure
from chaoskit.stack.names import DIRECT, REDIRECT
from chaoskit.stack.netfilter import ADD, READ, REMOVE
from tests.fakes.fake_toxiproxy import Blown, Fuse


@dataclass(slots=True)
class Namespace:
    """One table of one family: our chains and which of them INPUT, or OUTPUT, jumps to."""

    table: str = "filter"
    chains: dict[str, list[str]] = field(default_factory=dict)
    jumps: list[str] = field(default_factory=list)
    packets: dict[str, int] = field(default_factory=dict)  # by rule, set by tests

    def restore(self, text: str) -> None:
        for line in text.splitlines():
            words = line.split()
            if line.startswith(":"):
                self.chains[line[1:].split()[0]] = []
            elif words[:1] == ["-A"]:
                self.chains[words[1]].append(_as_saved(words[2:]))
            elif words[:3] == ["-I", self.hook, "-j"]:
                self.jumps.append(words[3])

    @property
    def hook(self) -> str:
        return "INPUT" if self.table == "filter" else "OUTPUT"

    def save(self) -> str:
        lines = [f"*{self.table}", *(f":{name} - [0:0]" for name in (self.hook, *self.chains))]
        lines += [f"[9:540] -A {self.hook} -j {name}" for name in self.jumps]
        for name, rules in self.chains.items():
            for rule in rules:
                number = self.packets.get(rule, 0)
                lines.append(f"[{number}:{60 * number}] -A {name} {rule}")
        return "\n".join([*lines, "COMMIT", ""])

    def remove(self, prefix: str) -> None:
        self.jumps = [name for name in self.jumps if not name.startswith(prefix)]
        self.chains = {k: v for k, v in self.chains.items() if not k.startswith(prefix)}


class FakeNetfilter:
    """The tables of all containers, by container id; IPv4 and IPv6."""

    def __init__(self, fuse: Fuse) -> None:
        self.tables: dict[str, tuple[Namespace, Namespace]] = {}  # `filter`
        self.nat: dict[str, tuple[Namespace, Namespace]] = {}
        self._fuse = fuse

    def of(self, container_id: str, table: str) -> tuple[Namespace, Namespace]:
        tables = self.tables if table == "filter" else self.nat
        return tables.setdefault(container_id, (Namespace(table), Namespace(table)))

    def forget(self, container_id: str) -> None:
        """The container stopped, and its namespace ended with it."""
        self.tables.pop(container_id, None)
        self.nat.pop(container_id, None)

    def run(self, container_id: str, argv: Sequence[str]) -> tuple[int, str]:
        """Do what one of the scripts does."""
        script, table_name, *arguments = argv[3:]
        tables = self.of(container_id, table_name)
        match script:
            case _ if script in (ADD, REDIRECT):
                for table, text in zip(tables, arguments[:2], strict=True):
                    if text:
                        self._fuse.change(lambda table=table, text=text: table.restore(text))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            case _ if script in (REMOVE, DIRECT):
                for table in tables:
                    if any(name.startswith(arguments[0]) for name in (*table.chains, *table.jumps)):
                        self._fuse.change(lambda table=table: table.remove(arguments[0]))  # type: ignore[misc]  # as above
            case _:
                assert script == READ, f"no such script: {script}"
        return 0, "".join(table.save() for table in tables)

    def state(self) -> dict[str, object]:
        return {
            f"{tables[0].table} {name}": [(table.chains, table.jumps) for table in tables]
            for name, tables in (*self.tables.items(), *self.nat.items())
            if any(table.chains or table.jumps for table in tables)
        }


class FakeNetworks:
    """The calls of `Endpoints`, on networks in memory that give out the lowest free address."""

    def __init__(self, fuse: Fuse) -> None:
        self.all: dict[str, dict[str, Endpoint]] = {}
        self.taken: dict[tuple[str, str], str] = {}  # network, address: the stand-in's name
        self._fuse = fuse

    def join(self, container_id: str, network: str, aliases: Sequence[str] = ()) -> str:
        """Put a container on a network and return the address it got."""
        had = self.all.get(container_id, {}).get(network)
        address = (had and had.address) or self._lowest(network)
        endpoint = Endpoint(
            network,
            f"id-{network}",
            aliases=tuple(aliases),
            links=("chaoskit-x:y",),
            address=address,
            mac="02:42:" + ":".join(f"{int(part):02x}" for part in address.split(".")),
        )
        self.all.setdefault(container_id, {})[network] = endpoint
        return address

    def _lowest(self, network: str) -> str:
        taken = {e.address for found in self.all.values() for n, e in found.items() if n == network}
        return next(a for i in range(2, 250) if (a := f"10.0.0.{i}") not in taken)

    async def of(self, container_id: str) -> dict[str, Endpoint]:
        mine = self.all.get(container_id, {})
        return {
            name: replace(one, address="10.0.0.250") if (name, one.address) in self.taken else one
            for name, one in mine.items()
        }

    async def take(
        self, network: str, address: str, name: str, image: str, labels: Mapping[str, str]
    ) -> None:
        self._change(lambda: self.taken.__setitem__((network, address), stand_ins(name)[0]))

    async def disconnect(self, container_id: str, network: str) -> None:
        mine = self.all.get(container_id, {})
        if network in mine:
            self._change(lambda: mine.__delitem__(network))

    async def restore(
        self, container_id: str, wanted: Endpoint, image: str, labels: Mapping[str, str]
    ) -> None:
        mine = self.all.setdefault(container_id, {})
        if wanted.network in mine:
            return
        free = await self.holder_of(wanted.network, str(wanted.address)) is None
        address = wanted.address if free else self._lowest(wanted.network)
        back = replace(wanted, address=address)
        self._change(lambda: mine.__setitem__(wanted.network, back))

    def _change(self, apply: Callable[[], None]) -> None:
        try:
            self._fuse.change(apply)
        except Blown:
            raise EnvironmentFailure("the engine gave no answer") from None

    async def holder_of(self, network: str, address: str) -> str | None:
        if (network, address) in self.taken:
            return self.taken[network, address]
        for container_id, found in self.all.items():
            if network in found and found[network].address == address:
                return container_id.removeprefix("id-")
        return None


def _as_saved(words: Sequence[str]) -> str:
    """Write a rule the way `iptables-save` prints it."""
    text = " ".join(words)
    source = words[1]
    text = text.replace(source, f"{source}/{128 if ':' in source else 32}", 1)
    return text.replace("-p tcp --", "-p tcp -m tcp --")
