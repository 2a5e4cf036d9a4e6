"""Look-ups of names in the network namespace of one container, sent to a program of ours.

A helper container in the namespace runs `dns_program`; rules of our own chain in the `nat` table
send it what the container asks its resolvers. Docker's own rule there leads to its embedded
resolver, so ours stands before it; what the program itself asks carries a mark and passes. Only the
resolvers of `/etc/resolv.conf` are redirected: Docker's resolver asks the outer ones from the very
same namespace, and would get its own questions back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from chaoskit.clock import until
from chaoskit.docker.containers import Container
from chaoskit.docker.helper import Helpers
from chaoskit.errors import FaultFailed
from chaoskit.stack import netfilter
from chaoskit.stack.stack import Stack

_MARK = 0x636B
_MEMORY = 128 * 1024**2
_READY, _POLL = 10.0, 0.05  # seconds
_LAG = 0.2  # seconds after which what was asked has been printed
_GRACE = 10.0  # seconds that a helper may take besides the waiting

REDIRECT, DIRECT = "netfilter/redirect.sh", "netfilter/direct.sh"
# What makes the kernel able to do all this, tried by `capabilities`.
TRY = (
    f"iptables -w -t nat -A OUTPUT -p udp --dport 53 -m mark ! --mark {_MARK:#x}"
    ' -j REDIRECT --to-ports 1 && python3 -c "$1" forget'
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a look-up brought: `nxdomain`, `servfail`, `timeout`, addresses, `empty` or an error;
    and after how many seconds."""

    said: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Redirection:
    """Whether the rules of one chain are in force, and whether there is anything of it."""

    whole: bool
    any: bool


@cache
def program() -> str:
    return files("chaoskit.stack").joinpath("dns_program.py").read_text("utf-8")


async def respond(
    stack: Stack,
    container: Container,
    name: str,
    *,
    names: Sequence[str],
    suffixes: Iterable[str],
    answer: str | None,
    delay: float,
) -> dict[str, int]:
    """Start the program in a container's namespace, as a container called `name`; return the port
    that stands for each resolver. Raises `FaultFailed` when it does not listen."""
    orders = {
        "names": list(names),
        "suffixes": list(suffixes),
        "answer": answer,
        "delay": delay,
        "mark": _MARK,
    }
    await stack.helpers.start(
        stack.project,
        ["python3", "-c", program(), "serve", json.dumps(orders)],
        name=name,
        memory=_MEMORY,
        network_of=container.id,
        capabilities=netfilter.CAPABILITIES,  # for the mark
    )
    rows = await until(lambda: _printed(stack, name), within=_READY, every=_POLL)
    for row in rows:
        if "ports" in row:
            return {resolver: int(port) for resolver, port in row["ports"].items()}
        if "problem" in row:
            raise FaultFailed(f"`{container.name}`: {row['problem']}")
    raise FaultFailed(f"`{name}` does not listen")


async def asked(stack: Stack, name: str) -> dict[str, int]:
    """Return how often the container asked for what matches each name. Raises `ChaoskitError`."""
    await asyncio.sleep(_LAG)
    found = [row["asked"] for row in await _printed(stack, name) if "asked" in row]
    return dict(found[-1]) if found else {}


async def _printed(stack: Stack, name: str) -> list[dict[str, dict[str, int]]]:
    found = []
    for line in await stack.containers.logs(name):
        _, _, text = line.partition(" ")
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


async def redirect(
    helpers: Helpers, project: str, container: Container, chain: str, ports: Mapping[str, int]
) -> None:
    """Send what a container asks its resolvers to these ports, also from sockets that it uses
    already. Raises `FaultFailed`."""
    rules = [
        f"-A {chain} -d {resolver} -p {protocol} --dport 53 -m mark ! --mark {_MARK:#x}"
        f" -j REDIRECT --to-ports {port}"
        for resolver, port in ports.items()
        for protocol in ("udp", "tcp")
    ]
    text = "\n".join(["*nat", f":{chain} - [0:0]", *rules, f"-I OUTPUT -j {chain}", "COMMIT", ""])
    arguments = "nat", text, "", program()
    await netfilter.run_script(helpers, project, container, REDIRECT, *arguments)


async def read(helpers: Helpers, project: str, container: Container, chain: str) -> Redirection:
    """Read back what there is of a chain. Raises `FaultFailed`."""
    text = await netfilter.run_script(helpers, project, container, netfilter.READ, "nat")
    return parse(text, chain)


async def direct(helpers: Helpers, project: str, container: Container, prefix: str) -> None:
    """Remove every chain whose name starts with `prefix`, and make sockets that the container uses
    already find their resolver again; none at all is fine. Raises `FaultFailed`."""
    arguments = "nat", prefix, program()
    await netfilter.run_script(helpers, project, container, DIRECT, *arguments)


def parse(text: str, chain: str) -> Redirection:
    """Parse the output of `iptables-save -c -t nat`."""
    rules = [line.partition("] ")[2] for line in text.splitlines()]
    jump = f"-A OUTPUT -j {chain}" in rules
    mine = any(rule.startswith(f"-A {chain} ") for rule in rules)
    return Redirection(whole=jump and mine, any=jump or mine or f":{chain} " in text)


async def look_up(
    helpers: Helpers, project: str, container: Container, name: str, *, six: bool, wait: float
) -> Answer:
    """Look a name up as the container would, for `wait` seconds at most; for an IPv6 address where
    `six`. Raises `FaultFailed`."""
    argv = ["python3", "-c", program(), "ask", name, "AAAA" if six else "A", f"{wait:.3f}"]
    text = await netfilter.run(helpers, project, container, argv, "a look-up", wait + _GRACE)
    try:
        row = json.loads(text)
        return Answer(str(row["said"]), float(row["seconds"]))
    except (ValueError, KeyError, TypeError):
        raise FaultFailed(f"a look-up in `{container.name}` said {text.strip()[-200:]}") from None
