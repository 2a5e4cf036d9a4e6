"""Who is connected to whom, read from the containers' own TCP tables.

This is how a bypassed proxy is noticed, and how a connection that stays open for the whole run is
known to be in use. Linux keeps closed connections in the table for a minute (TIME_WAIT), so short
ones are seen too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaoskit.docker.containers import Container
from chaoskit.docker.exec import ContainerExec
from chaoskit.errors import ChaoskitError

_LISTEN = 0x0A
TABLES = ("net/tcp", "net/tcp6")  # below `/proc` or `/proc/PID`


@dataclass(frozen=True, slots=True)
class Connection:
    """One row of a TCP table, seen from inside the container."""

    remote_ip: str
    remote_port: int
    state: int
    local_port: int


@dataclass(frozen=True, slots=True)
class Sockets:
    """The TCP table of a container; `listening` are the ports that other containers can reach."""

    connections: tuple[Connection, ...] = ()
    listening: frozenset[int] = frozenset()

    @property
    def with_others(self) -> Sequence[Connection]:
        """Those that leave the container, to or from it, also ones closed a moment ago."""
        return [
            one for one in self.connections if not ipaddress.ip_address(one.remote_ip).is_loopback
        ]


async def sockets_of(exec: ContainerExec, container: Container) -> Sockets | None:
    """Return the TCP sockets of a container, None when they cannot be read.

    Reads `/proc` of the host where the engine is local, else asks `cat` inside the container.
    """
    if not container.state.running:
        return Sockets()
    # In threads: a busy container has thousands of rows.
    text = await asyncio.to_thread(proc_of, container, *TABLES)
    if text is None:
        try:
            text = (await exec.run(container.id, ["cat", *(f"/proc/{t}" for t in TABLES)])).out
        except ChaoskitError:
            return None
    return await asyncio.to_thread(parse_tables, text)


def parse_tables(text: str) -> Sockets | None:
    """Parse `/proc/net/tcp` and `tcp6` text; None when it is neither of them."""
    if "local_address" not in text:
        return None
    connections, listening = [], set()
    for line in text.splitlines():
        columns = line.split()
        if len(columns) < 4 or ":" not in columns[2] or columns[0] == "sl":
            continue
        (ip, port), (remote_ip, remote_port) = (_endpoint(text) for text in columns[1:3])
        state = int(columns[3], 16)
        if state != _LISTEN:
            connections.append(Connection(remote_ip, remote_port, state, port))
        elif not ipaddress.ip_address(ip).is_loopback:
            listening.add(port)
    return Sockets(tuple(connections), frozenset(listening))


def _endpoint(text: str) -> tuple[str, int]:
    address, _, port = text.partition(":")
    return _address(address), int(port, 16)


def _address(text: str) -> str:
    raw = bytes.fromhex(text)
    words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))  # host byte order
    if len(words) == 4:
        return socket.inet_ntoa(words)
    address = ipaddress.IPv6Address(words)
    return str(address.ipv4_mapped or address)


def proc_of(container: Container, *names: str) -> str | None:
    """Return files of `/proc/PID` of a container's main process, one after the other.

    None where this host does not show them, or PID is not this container's.
    """
    base = Path(f"/proc/{container.pid}")
    try:
        if container.id not in (base / "cgroup").read_text():
            return None
        return "".join((base / name).read_text() for name in names)
    except OSError:
        return None
