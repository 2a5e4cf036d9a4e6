"""A small Compose project where everybody listens, and who can talk to whom is measured."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.compose_project import LAB, compose_project, container_of, docker
from tests.contract.real_servers import eventually

_SERVER = """
import asyncio
async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
async def main():
    server = await asyncio.start_server(echo, "", 7000)
    await server.serve_forever()
asyncio.run(main())
"""
# Prints the names of those among its arguments that answer on a new connection.
_CLIENT = """
import asyncio, sys
async def answers(name):
    try:
        async with asyncio.timeout(1.5):
            reader, writer = await asyncio.open_connection(name, 7000)
            writer.write(b"ping")
            return await reader.read(4) == b"ping"
    except (OSError, TimeoutError):
        return False
async def main():
    names = sys.argv[1:]
    found = await asyncio.gather(*map(answers, names))
    print(*(name for name, one in zip(names, found) if one))
asyncio.run(main())
"""
# Holds one connection, sends a line every 50 ms, and prints how many came back in the end.
_KEPT = """
import socket, sys, time
kept = socket.create_connection((sys.argv[1], 7000), timeout=10)
seen = kept.makefile("rb")
end = time.monotonic() + float(sys.argv[2])
sent = 0
while time.monotonic() < end:
    kept.sendall(b"x\\n")
    sent += 1
    time.sleep(0.05)
back = sum(1 for _ in zip(range(sent), seen))
print(sent - back)
"""

Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class TalkingProject:
    """A running project. Replicas are named `service[number]`, as chaoskit does."""

    project: str
    replicas: tuple[str, ...]

    def container(self, replica: str) -> str:
        return container_of(self.project, replica)

    def restart(self, replica: str) -> None:
        """Stop and start a replica. With `docker restart`, the engine's tidying up after the old
        process may overtake the start and take the root file system away from under `exec`."""
        docker("stop", "--time", "0", self.container(replica))
        docker("start", self.container(replica))

    def talking(self) -> Pairs:
        """Return every (client, upstream) of which the client got an answer just now.

        A client that cannot be started got none: right after a restart the engine may refuse to.
        """
        names = {self.container(replica): replica for replica in self.replicas}

        def ask(client: str) -> Pairs:
            others = [name for name in names if name != client]
            argv = ["docker", "exec", client, "python3", "-c", _CLIENT, *others]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
            answered = done.stdout.split() if done.returncode == 0 else []
            return {(names[client], names[upstream]) for upstream in answered}

        with ThreadPoolExecutor() as pool:
            return set().union(*pool.map(ask, names))

    def keep_connection(self, client: str, upstream: str, lasts: float) -> subprocess.Popen[str]:
        """Start a client with one open connection; it prints how many lines never came back."""
        script = ["python3", "-c", _KEPT, self.container(upstream), str(lasts)]
        return subprocess.Popen(
            ["docker", "exec", self.container(client), *script], stdout=subprocess.PIPE, text=True
        )

    def rules(self) -> dict[str, str]:
        """Return the filter rules of every namespace, both families; policies included."""
        return {replica: self._in_namespace(replica) for replica in self.replicas}

    def _in_namespace(self, replica: str) -> str:
        return docker(
            *("run", "--rm", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN"),
            *("--network", f"container:{self.container(replica)}", LAB),
            *("sh", "-c", "iptables -w -S; ip6tables -w -S"),
        )

    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Return what `docker inspect` says about every endpoint, but for the ids it invents, the
        order of lists, and whether nothing is null or empty."""
        found = {}
        for replica in self.replicas:
            shown = docker("inspect", self.container(replica), "-f", "{{json .NetworkSettings}}")
            networks = json.loads(shown)["Networks"]
            found[replica] = {
                name: {key: _settled(value) for key, value in row.items() if key != "EndpointID"}
                for name, row in networks.items()
            }
        return found


def _settled(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value or None


@contextlib.contextmanager
def talking_project(directory: Path) -> Iterator[TalkingProject]:
    """Run the project for as long as the block lasts."""
    subnet = random.randrange(1, 255)  # subnets of two projects at once must not overlap
    server: dict[str, Any] = {
        "image": LAB,
        "init": True,
        "stop_grace_period": "0s",
        "command": ["python3", "-c", _SERVER],
    }
    services: dict[str, dict[str, Any]] = {
        "chat-1": {"networks": {"back": {"aliases": ["one"]}, "side": {}}},
        "chat-2": {"networks": {"back": {}}, "scale": 2},
        "redis": {
            "networks": {"back": {"aliases": ["cache", "kv"]}, "side": {}},
            "links": ["chat-1:first"],
        },
        "postgres": {"networks": {"back": {}, "fixed": {"ipv4_address": f"10.213.{subnet}.77"}}},
        "early": {"networks": {"back": {}}},  # stopped: its address is a gap below the others
    }
    networks: dict[str, Any] = {"back": {}, "side": {"enable_ipv6": True}, "fixed": {}}
    networks["side"]["ipam"] = {"config": [{"subnet": f"fd00:c4a0:{subnet}::/64"}]}
    networks["fixed"]["ipam"] = {"config": [{"subnet": f"10.213.{subnet}.0/24"}]}
    document = {"services": {k: server | v for k, v in services.items()}, "networks": networks}
    file = directory / "compose.json"
    file.write_text(json.dumps(document))
    replicas = ("chat-1[1]", "chat-2[1]", "chat-2[2]", "redis[1]", "postgres[1]")
    with compose_project(file, first="early") as name:
        docker("stop", "--time", "0", container_of(name, "early"))
        made = TalkingProject(name, replicas)
        everybody = {(a, b) for a in replicas for b in replicas if a != b}
        eventually("everybody talks", lambda: made.talking() == everybody)
        yield made
